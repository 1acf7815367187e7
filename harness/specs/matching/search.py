"""The search for the network of a ladder whose counted cost is nearest to a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log, sqrt

from harness.errors import HarnessError
from harness.specs.identity import canonical
from harness.specs.matching.ladder import Ladder, changed_fields
from harness.specs.matching.match import COST_WORDS, TOLERANCE, Match
from harness.specs.network.any_variant import AnyVariant

WIDEST_WITHIN = 0.5
"""Largest tolerance that an error proposes."""
CostOf = Callable[[AnyVariant], float]
MOST_STEPS = 60
"""Limit on the steps of the search; it needs about ten."""
REFINED = 6
"""Nearest networks of which single widths are rounded to the other side, if none of them is near enough."""
SHOWN = 2
"""Nearest networks that an error names, on each side of the target."""


@dataclass(frozen=True)
class Candidate:
    """A network of a ladder, and its cost divided by that of the matched network."""

    variant: AnyVariant
    ratio: float

    @property
    def described_ratio(self) -> str:
        """The ratio in words."""
        return f"{self.ratio:.3f} times"

    @property
    def distance(self) -> float:
        """The distance of the costs from equal: the absolute logarithm of the ratio."""
        return abs(log(self.ratio))


def find_equal_cost(ladder: Ladder, target: float, cost_of: CostOf, tolerance: float = TOLERANCE) -> list[Candidate]:
    """Return the networks of a ladder with costs around a target, the nearest first.

    The cost rises along a ladder, up to rounding, so the target is bracketed and the bracket made smaller; at last the
    few networks in it and beside it are tried one by one.

    Args:
        tolerance: Single widths are rounded to the other side if no network is as near as this.
    """
    costs: dict[str, float] = {}

    def ratio(variant: AnyVariant) -> float:
        key = canonical(changed_fields(ladder.base, variant))
        if key not in costs:
            costs[key] = cost_of(variant)
        return costs[key] / target

    low, high = _bracket(ladder, ratio)
    for step in range(MOST_STEPS):
        if ladder.count_between(low, high) <= ladder.few:
            break
        # The costs follow a power of the scale roughly, so a line on logarithmic axes is quicker than halving alone.
        share = 0.5 if step % 3 == 2 else _crossing(ratio(ladder.at(low)), ratio(ladder.at(high)))
        middle = low * (high / low) ** share
        low, high = (middle, high) if ratio(ladder.at(middle)) < 1 else (low, middle)
    near = [*ladder.around(sqrt(low * high), 2 * ladder.few + 2), ladder.at(low), ladder.at(high)]
    candidates = _sort(ladder, near, ratio)
    if abs(candidates[0].ratio - 1) > tolerance:
        near += [variant for candidate in candidates[:REFINED] for variant in ladder.refine(candidate.variant)]
        candidates = _sort(ladder, near, ratio)
    return candidates


def _crossing(low: float, high: float) -> float:
    """Return where a line between two ratios crosses 1, as a share of the way; not too near the ends."""
    if low >= 1 or high <= 1:
        return 0.5
    return min(max(-log(low) / (log(high) - log(low)), 0.1), 0.9)


def _sort(ladder: Ladder, variants: Sequence[AnyVariant], ratio: Callable[[AnyVariant], float]) -> list[Candidate]:
    """Return distinct candidates, the nearest to equal cost first."""
    distinct = {canonical(changed_fields(ladder.base, variant)): variant for variant in variants}
    candidates = [Candidate(variant, ratio(variant)) for variant in distinct.values()]
    return sorted(candidates, key=lambda candidate: candidate.distance)


def _bracket(ladder: Ladder, ratio: Callable[[AnyVariant], float]) -> tuple[float, float]:
    """Return two scales whose costs lie on both sides of the target, or the end of the ladder towards it."""
    low = high = min(max(1.0, ladder.lowest), ladder.highest)
    while high < ladder.highest and ratio(ladder.at(high)) < 1:
        low, high = high, min(2 * high, ladder.highest)
    while low > ladder.lowest and ratio(ladder.at(low)) > 1:
        low, high = max(low / 2, ladder.lowest), low
    return low, high


def refuse_match(match: Match, base: AnyVariant, to: str, candidates: Sequence[Candidate]) -> HarnessError:
    """Return the error that no network is within the tolerance; it names the nearest ones and their ratios.

    Args:
        candidates: The nearest first.
    """
    below = [candidate for candidate in candidates if candidate.ratio < 1][:SHOWN]
    above = [candidate for candidate in candidates if candidate.ratio >= 1][:SHOWN]
    nearest = sorted([*below, *above], key=lambda candidate: candidate.ratio)
    shown = "; ".join(f"{_describe(base, each.variant)}: {each.described_ratio}" for each in nearest)
    distance = abs(candidates[0].ratio - 1)
    widened = f" Or accept the nearest with within: {_round_up(distance):g}." if distance <= WIDEST_WITHIN else ""
    return HarnessError(
        f"no member of the family of {base.name} is within {100 * match.tolerance:g} % of the {COST_WORDS[match.by]} "
        f"of {to}. The nearest are {shown}",
        where="match",
        remedy="Match by another cost, change the other dimension (widths or depth), or start from a network with more "
        f"channels, whose steps are finer.{widened}",
    )


def _round_up(distance: float) -> float:
    """Return a tolerance of two decimals that includes a distance."""
    return ceil(100 * distance + 1e-9) / 100


def _describe(base: AnyVariant, variant: AnyVariant) -> str:
    fields = changed_fields(base, variant)
    if not fields:
        return f"{base.name} itself"
    return ", ".join(
        f"{name} {'-'.join(map(str, value)) if isinstance(value, list) else value}" for name, value in fields.items()
    )
