"""The correction of p values for the number of tests."""

from __future__ import annotations

from collections.abc import Sequence


def adjust_p_values(ps: Sequence[float]) -> list[float]:
    """Return the p values adjusted by Holm's step-down method, in the order given. Source: Holm 1979."""
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = largest
    return adjusted
