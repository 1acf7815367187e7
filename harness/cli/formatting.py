"""Times, ages, sizes and values as short text for a terminal."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

ABSENT = "–"
"""Shown in place of a value that is not known."""


def format_value(value: Any, absent: str = ABSENT) -> str:
    """Return a value as text, or ``absent`` for None."""
    return absent if value is None else str(value)


def format_percent(value: float | None) -> str:
    """Return a number of percent with two decimals."""
    return ABSENT if value is None else f"{value:.2f}"


def format_time(milliseconds: int) -> str:
    """Return the local time of a number of milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000).strftime("%Y-%m-%d %H:%M:%S")


def format_age(milliseconds: int) -> str:
    """Return how long ago a time was, such as ``3 h``.

    Args:
        milliseconds: Milliseconds since 1970; 0 if there is no time. A time ahead of this machine's clock counts as
            now.
    """
    if not milliseconds:
        return ABSENT
    seconds = max(time.time() - milliseconds / 1000, 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def format_bytes(count: int) -> str:
    """Return a number of bytes in the largest unit that fits, such as ``1.5 MB``."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
