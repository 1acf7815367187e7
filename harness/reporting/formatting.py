"""How numbers and names are written in a report; nothing is ever printed as nan, None or inf."""

from __future__ import annotations

import math
from collections.abc import Iterable

ABSENT = "–"


def is_finite(value: float | None) -> bool:
    """Whether there is a finite number."""
    return value is not None and math.isfinite(value)


def format_number(value: float | None, decimals: int = 2, sign: bool = False) -> str:
    """A fixed number of decimals, thousands separated, a typographic minus, and no minus before zero."""
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{value:,.{decimals}f}"
    if not text.strip("-0.,"):
        return text.lstrip("-")
    if text.startswith("-"):
        return "\N{MINUS SIGN}" + text[1:]
    return f"+{text}" if sign else text


def format_points(value: float | None) -> str:
    """A difference of two errors in percentage points, with its sign."""
    return format_number(value, 2, sign=True)


def format_interval(low: float | None, high: float | None, sign: bool = False) -> str:
    """``low to high``, or a dash where there is none."""
    return (
        f"{format_number(low, 2, sign)} to {format_number(high, 2, sign)}"
        if is_finite(low) and is_finite(high)
        else ABSENT
    )


def format_p(p: float | None) -> str:
    """Three significant digits."""
    if p is None or not math.isfinite(p):
        return ABSENT
    return f"{p:.3g}" if p >= 1e-4 else f"{p:.1e}"


def format_percent(level: float) -> str:
    """A level such as 0.05 in percent."""
    return f"{100 * level:.4g} %"


def format_count(value: float | None) -> str:
    """A count: exact below a million, else three significant digits with M or G."""
    if value is None or not math.isfinite(value):
        return ABSENT
    for unit, size in (("G", 1e9), ("M", 1e6)):
        if value >= size:
            scaled = value / size
            return f"{scaled:,.{max(0, 2 - int(math.log10(scaled)))}f} {unit}"
    return f"{value:,.0f}"


def format_quantity(n: int, thing: str, several: str = "") -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{n:,} {thing if n == 1 else several or thing + 's'}"


def join_words(items: Iterable[object]) -> str:
    """``a, b and c``."""
    words = [str(item) for item in items]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def format_trials(pairs: Iterable[tuple[str, int]]) -> list[str]:
    """``name seed 3`` or ``name seeds 3, 4``, for (variant, seed) in order."""
    seeds: dict[str, list[int]] = {}
    for name, seed in pairs:
        seeds.setdefault(name, []).append(seed)
    return [f"{name} seed{'s' * (len(s) > 1)} {', '.join(map(str, s))}" for name, s in seeds.items()]


def keep_together(text: str) -> str:
    """Text that narrow columns do not break."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")
