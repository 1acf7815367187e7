"""Where labels go so that none lies on another: round numbers on a logarithmic axis, names beside points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Align = Literal["left", "right", "center"]
LabelPlacement = tuple[float, float, Align]
"""Offset from the point in typographic points (1/72 inch), and how the text is aligned to it."""
Box = tuple[float, float, float, float]
"""Left, bottom, right, top; typographic points."""
LABEL_SIZE = 8.0
"""Of a name's letters."""
PLACEMENTS: dict[str, LabelPlacement] = {
    "right": (8.0, 2.0, "left"),
    "left": (-8.0, 2.0, "right"),
    "above": (0.0, 8.0, "center"),
    "below": (0.0, -14.0, "center"),
}
MARKER_RADIUS = 4.5
"""Half the width of a point's mark."""


def choose_log_ticks(low: float, high: float) -> list[float]:
    """Round numbers on a logarithmic axis, the roundest first, as many as have room for a label like ``300 ms``."""
    found: list[float] = []
    room = 0.22 * math.log10(high / low)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digit in (1.0, 2.0, 5.0, 3.0, 1.5, 7.0, 2.5, 4.0, 6.0, 8.0, 9.0):
        for value in (digit * 10.0**decade for decade in decades):
            if low <= value <= high and all(abs(math.log10(value / other)) >= room for other in found):
                found.append(value)
    return sorted(found) or [float(f"{math.sqrt(low * high):.2g}")]


def place_labels(points: Sequence[tuple[float, float]], names: Sequence[str], right: float) -> list[LabelPlacement | None]:
    """Where each name goes beside its point: on the first side where it hides no mark and no name before it.

    Args:
        points: (x, y) in typographic points from the panel's lower left corner; those named first come first.
        names: One for each of the first points; the others have marks alone.
        right: Width of the panel, which no name leaves.

    Returns:
        None for a name that has no room on any side.
    """
    taken: list[Box] = [(x - MARKER_RADIUS, y - MARKER_RADIUS, x + MARKER_RADIUS, y + MARKER_RADIUS) for x, y in points]
    made: list[LabelPlacement | None] = []
    for (x, y), name in zip(points, names, strict=False):
        for place in PLACEMENTS.values():
            box = _box(x, y, place, 0.62 * LABEL_SIZE * len(name))
            if box[0] >= 0 and box[2] <= right and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                made.append(place)
                break
        else:
            made.append(None)
    return made


def _box(x: float, y: float, place: LabelPlacement, width: float) -> Box:
    along, up, align = place
    left = x + along - {"left": 0.0, "center": width / 2, "right": width}[align]
    return left, y + up, left + width, y + up + LABEL_SIZE


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
