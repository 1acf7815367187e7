"""The stages of an adaptive run as a user writes them on the command line."""

from __future__ import annotations

import re

from harness.errors import HarnessError

LONGEST = 6
"""Most digits of a number of seeds."""


def parse_stages(value: str | tuple[int, int, int]) -> tuple[int, int, int]:
    """Return first, most and step of a text such as ``8:32:4``, or of three numbers.

    Raises:
        HarnessError: The value is not three whole numbers in this order.
    """
    text = value if isinstance(value, str) else ":".join(map(str, value))
    match = re.fullmatch(rf"(\d{{1,{LONGEST}}}):(\d{{1,{LONGEST}}}):(\d{{1,{LONGEST}}})", text.strip(), re.ASCII)
    if match is None:
        raise HarnessError(
            f"'{text[:60]}' does not give the stages of a run",
            where="--decide",
            remedy="Write FIRST:MOST:STEP, such as 8:32:4: it begins with 8 seeds, ends with at most 32, and adds 4.",
        )
    first, most, step = map(int, match.groups())
    if most <= first:
        # 8:4:32 is the order of the field `decide` in a file.
        raise HarnessError(
            f"{text} would begin with {first} seeds, end with at most {most}, and add {step} at each stage",
            where="--decide",
            remedy="Write FIRST:MOST:STEP with MOST larger than FIRST, such as 8:32:4.",
        )
    return first, most, step
