"""Numbers, quantities and table rows as text: every report, figure and terminal table formats with these.

A missing value is shown as a dash. The text never holds ``nan``, ``None`` or ``inf``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

ABSENT = "–"
"""Shown in place of a value that was not measured."""
COUNT_UNITS: Mapping[str, float] = {"G": 1e9, "M": 1e6}
"""Suffixes of large counts, the largest first."""

MOST_PAIRS_IN_FRACTION = 20
"""Most pairs for which the smallest p is written as a fraction; above, the test draws its flips at random."""


def is_finite(value: float | None) -> bool:
    """Return whether a value is a finite number."""
    return value is not None and math.isfinite(value)


def format_number(value: float | None, decimals: int = 2, sign: bool = False) -> str:
    """Return a number with fixed decimals, commas between thousands and a typographic minus.

    A number that is rounded to zero has no sign.

    Args:
        value: None, NaN and infinity are shown as a dash.
        decimals: Digits after the decimal point.
        sign: Whether a positive number gets a plus.
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{value:,.{decimals}f}"
    if not text.strip("-0.,"):
        return text.lstrip("-")
    if text.startswith("-"):
        return "\N{MINUS SIGN}" + text[1:]
    return f"+{text}" if sign else text


def format_mean(mean: float, sd: float | None, decimals: int = 2) -> str:
    """Return ``mean ± sd``; the mean alone if there is no standard deviation."""
    spread = "" if sd is None else f" ± {format_number(sd, decimals)}"
    return format_number(mean, decimals) + spread


def format_points(value: float | None) -> str:
    """Return a difference of two errors, in percentage points with its sign."""
    return format_number(value, 2, sign=True)


def format_interval(low: float | None, high: float | None, sign: bool = False, decimals: int = 2) -> str:
    """Return ``low to high``, or a dash if one end is missing."""
    if not (is_finite(low) and is_finite(high)):
        return ABSENT
    return f"{format_number(low, decimals, sign)} to {format_number(high, decimals, sign)}"


def format_p(p: float | None, pairs: int | None = None) -> str:
    """Return a p value with three significant digits; below 0.0001 with two, as ``1.0e-05``.

    Args:
        pairs: Number of pairs of a one-sided exact sign-flip test. The smallest p that they allow is written as the
            fraction that it is, such as ``1/256``.
    """
    if p is None or not math.isfinite(p):
        return ABSENT
    if pairs is not None and 0 < pairs <= MOST_PAIRS_IN_FRACTION and p == 0.5**pairs:
        return f"1/{2**pairs:,}"
    return f"{p:.3g}" if p >= 1e-4 else f"{p:.1e}"


def format_percent(share: float) -> str:
    """Return a share such as 0.05 in percent."""
    return f"{100 * share:.4g} %"


def format_count(value: float | None) -> str:
    """Return a count: exact below a million, else three significant digits with the suffix M or G."""
    if value is None or not math.isfinite(value):
        return ABSENT
    for suffix, unit in COUNT_UNITS.items():
        if value >= unit:
            scaled = value / unit
            return f"{scaled:,.{max(0, 2 - int(math.log10(scaled)))}f} {suffix}"
    return f"{value:,.0f}"


def format_quantity(n: int, noun: str) -> str:
    """Return a number with its noun: ``1 seed``, ``2 seeds``."""
    return f"{n:,} {noun if n == 1 else noun + 's'}"


def format_trials(trials: Iterable[tuple[str, int]]) -> list[str]:
    """Return one text per variant: ``name seed 3`` or ``name seeds 3, 4``.

    Args:
        trials: Name of the variant, and seed.
    """
    seeds: dict[str, list[int]] = {}
    for name, seed in trials:
        seeds.setdefault(name, []).append(seed)
    return [f"{name} seed{'s' * (len(s) > 1)} {', '.join(map(str, s))}" for name, s in seeds.items()]


def format_dates(times: Iterable[str]) -> str:
    """Return the first and the last of ISO 8601 times in UTC, to the minute."""
    # Such times sort as text.
    minutes = sorted(time[:16].replace("T", " ") for time in times if time)
    return f"{minutes[0]} to {minutes[-1]} UTC" if minutes else "not recorded"


def format_table_row(cells: Iterable[str]) -> str:
    """Return one line of a Markdown table; the cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def join_words(items: Iterable[object]) -> str:
    """Return a list in words: ``a, b and c``."""
    words = [str(item) for item in items]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def keep_together(text: str) -> str:
    """Replace spaces by no-break spaces, so that a narrow table column does not break the text."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")
