"""Durations as a user writes them."""

from __future__ import annotations

import re

from harness.errors import HarnessError

LONGEST_SECONDS = 366 * 24 * 3600
"""The longest duration that is accepted: one year."""


def parse_duration(value: str | float, option: str) -> float:
    """Return the seconds of ``90``, ``90s``, ``30m``, ``1h30m``, ``1:30:00``, or of a number of seconds.

    Args:
        value: The text or the number.
        option: The option that an error names.

    Raises:
        HarnessError: The value is not a duration, is zero, or is longer than a year.
    """
    if isinstance(value, str):
        clock = re.fullmatch(r"(?:(\d+):)?(\d+):(\d+)", value)
        units = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", value)
        match = clock or units
        hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
        total = 3600.0 * hours + 60 * minutes + seconds
    else:
        total = float(value)
    if not 0 < total <= LONGEST_SECONDS:
        raise HarnessError(
            f"'{value}' is not a duration", where=option, remedy="Write 90s, 30m or 1h30m. One year is the longest."
        )
    return total
