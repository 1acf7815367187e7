"""Labels of a figure, placed so that none hides another: numbers on a logarithmic axis, names beside points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

LABEL_SIZE = 8.0
"""Font size of a name, in typographic points (1/72 inch)."""
MARKER_RADIUS = 4.5
"""Half the width of a point's marker, in typographic points."""


class LabelPlacement(NamedTuple):
    """The place of a name beside its point: its offset in typographic points, and how the text is aligned to it."""

    dx: float
    dy: float
    align: Literal["left", "right", "center"]


class Box(NamedTuple):
    """A rectangle in typographic points."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> bool:
        """Return whether two rectangles share a part of their area."""
        is_apart_in_x = self.right <= other.left or other.right <= self.left
        return not is_apart_in_x and self.bottom < other.top and other.bottom < self.top


PLACEMENTS = (
    LabelPlacement(8.0, 2.0, "left"),
    LabelPlacement(-8.0, 2.0, "right"),
    LabelPlacement(0.0, 8.0, "center"),
    LabelPlacement(0.0, -14.0, "center"),
)
"""Right of the point, left of it, above it, below it: in the order in which they are tried."""


def choose_log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers for a logarithmic axis, as many as leave room for a label such as ``300 ms``."""
    ticks: list[float] = []
    room = 0.22 * math.log10(high / low)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    # The roundest numbers come first.
    for digit in (1.0, 2.0, 5.0, 3.0, 1.5, 7.0, 2.5, 4.0, 6.0, 8.0, 9.0):
        for value in (digit * 10.0**decade for decade in decades):
            if low <= value <= high and all(abs(math.log10(value / tick)) >= room for tick in ticks):
                ticks.append(value)
    return sorted(ticks) or [float(f"{math.sqrt(low * high):.2g}")]


def place_labels(
    points: Sequence[tuple[float, float]], names: Sequence[str], width: float
) -> list[LabelPlacement | None]:
    """Return the placement of each name: the first side of its point on which it hides no marker and no earlier name.

    Args:
        points: (x, y) of each point, in typographic points from the panel's lower left corner.
        names: Names of the first points; points without a name are only kept free.
        width: Width of the panel, which no name may leave.

    Returns:
        One placement per name; None where no side has room.
    """
    occupied = [Box(x - MARKER_RADIUS, y - MARKER_RADIUS, x + MARKER_RADIUS, y + MARKER_RADIUS) for x, y in points]
    placements: list[LabelPlacement | None] = []
    for (x, y), name in zip(points, names, strict=False):
        for placement in PLACEMENTS:
            box = _label_box(x, y, placement, 0.62 * LABEL_SIZE * len(name))
            if box.left >= 0 and box.right <= width and not any(box.overlaps(other) for other in occupied):
                occupied.append(box)
                placements.append(placement)
                break
        else:
            placements.append(None)
    return placements


def _label_box(x: float, y: float, placement: LabelPlacement, width: float) -> Box:
    """Return the rectangle that a name of this width covers beside the point (x, y)."""
    left = x + placement.dx - {"left": 0.0, "center": width / 2, "right": width}[placement.align]
    bottom = y + placement.dy
    return Box(left, bottom, left + width, bottom + LABEL_SIZE)
