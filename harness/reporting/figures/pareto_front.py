"""The Pareto front of cost and error."""

from __future__ import annotations

from collections.abc import Sequence


def find_pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the indices of the points on the Pareto front, by rising cost, then rising error.

    A point is on the front when no other point is at most as high in both and lower in one.

    Args:
        points: (cost, error) of each. Equal points are all on the front, or none of them is.
    """
    order = sorted(range(len(points)), key=lambda index: points[index])
    front: list[int] = []
    for index in order:
        last = points[front[-1]] if front else None
        if last is None or points[index][1] < last[1] or points[index] == last:
            front.append(index)
    return front
