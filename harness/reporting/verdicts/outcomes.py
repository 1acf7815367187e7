"""The outcomes that a component of a contrast can have. They do not overlap, so no two can be true at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from harness.reporting.statistics.comparisons import Side
from harness.reporting.statistics.intervals import Floats
from harness.specs.experiment.interim_looks import NON_INFERIORITY_SHARE

Bound = tuple[Side, float]
"""A claim about an effect: the side of a value, in percentage points, on which the effect lies."""
Role = Literal["supports", "contradicts"]
ROLES: tuple[Role, ...] = ("supports", "contradicts")
Effect = TypeVar("Effect", float, Floats)


def distance_beyond(bound: Bound, effect: Effect) -> Effect:
    """Return how far an effect lies beyond a bound on its claimed side, in percentage points; negative if it misses.

    Args:
        effect: One effect, or an array of them.
    """
    side, value = bound
    return value - effect if side == "less" else effect - value


@dataclass(frozen=True)
class Outcome:
    """One possible outcome of a component. It holds if each of its bounds holds in every error.

    Attributes:
        name: Such as ``rises`` or ``negligible``; it completes "the effect ...".
        role: Whether the contrast claims this outcome or excludes it.
        bounds: Its claims about the effect, each tested one-sided.
        share: Share of the contrast's level at which each bound is tested.
    """

    name: str
    role: Role
    bounds: tuple[Bound, ...]
    share: float = 1.0

    def holds_for(self, effect: float) -> bool:
        """Return whether an effect meets every bound."""
        return all(distance_beyond(bound, effect) > 0 for bound in self.bounds)


@dataclass(frozen=True)
class OutcomeResult:
    """The result of the tests of one outcome.

    Attributes:
        p: Largest p of its tests; None below 8 pairs.
        reached: Whether all its tests reject at the level of the contrast, at the stage that decides or earlier.
        reached_at: Number of declared seeds of the first stage at which they do; None where they do not.
    """

    outcome: Outcome
    p: float | None = None
    reached: bool = False
    reached_at: int | None = None


WAYS_TO_CONTRADICT = 4
"""Ways in which a degradation can be contradicted. They share the level equally (Bonferroni)."""
_WAY = 1 / WAYS_TO_CONTRADICT


def plain_outcomes(smallest: float) -> tuple[Outcome, ...]:
    """Return the outcomes of the plain change, for a smallest effect of interest in percentage points."""
    return (
        Outcome("rises", "supports", (("greater", smallest),)),
        Outcome("negligible", "contradicts", (("less", smallest), ("greater", -smallest)), _WAY),
        Outcome("falls", "contradicts", (("less", -smallest),), _WAY),
    )


def residual_outcomes(margin: float) -> tuple[Outcome, ...]:
    """Return the outcomes of the residual change. "Not worse" is a claim of non-inferiority."""
    return (
        Outcome("not worse", "supports", (("less", margin),), NON_INFERIORITY_SHARE),
        Outcome("worse", "contradicts", (("greater", margin),), _WAY),
    )


def interaction_outcomes() -> tuple[Outcome, ...]:
    """Return the outcomes of the plain change minus the residual change."""
    return (
        Outcome("positive", "supports", (("greater", 0.0),)),
        Outcome("not positive", "contradicts", (("less", 0.0),), _WAY),
    )


def difference_outcomes(side: Side, share: float) -> tuple[Outcome, ...]:
    """Return the outcomes of a difference: the claimed side has ``share`` of the level, the other side the rest.

    A two-sided claim is supported by either side, each at half the level.
    """
    shares = {"less": (share, 1 - share), "greater": (1 - share, share), "two-sided": (0.5, 0.5)}[side]
    claimed = {"less": ("lower",), "greater": ("higher",), "two-sided": ("lower", "higher")}[side]
    bounds: dict[str, Bound] = {"lower": ("less", 0.0), "higher": ("greater", 0.0)}
    return tuple(
        Outcome(name, "supports" if name in claimed else "contradicts", (bound,), part)
        for (name, bound), part in zip(bounds.items(), shares, strict=True)
    )
