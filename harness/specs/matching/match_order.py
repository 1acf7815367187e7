"""The order in which matches are resolved: each after the one whose network it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from harness.errors import HarnessError
from harness.specs.matching.variant_names import find_names


def order_matches(targets: Mapping[int, str], names: Mapping[int, Sequence[str]], known: Sequence[str]) -> list[int]:
    """Return the numbers of selections with a match, in the order in which they can be resolved.

    Args:
        targets: The name of the network to match, by the number of the selection.
        names: The names of the networks that each of these matches will find.
        known: Names of the variants that need no match.

    Raises:
        HarnessError: Several matches name each other.
    """
    needed = {
        number: [other for other in sorted(targets) if other != number and find_names(to, names[other])]
        for number, to in targets.items()
        if not find_names(to, known)
    }
    try:
        return list(TopologicalSorter({number: needed.get(number, []) for number in targets}).static_order())
    except CycleError as error:
        # Each number in the list is needed by the next one, and the first one is also the last one.
        cycle = [names[number][0] for number in error.args[1]][::-1]
    raise HarnessError(
        "the matches form a circle: " + ", ".join(f"{a} matches {b}" for a, b in pairwise(cycle)),
        where="variants",
        remedy="Let one of them name a variant without match, or one that `harness variants` lists.",
    )
