"""The decision over all contrasts of an experiment: Holm's method, stage after stage.

Supporting and contradicting are two families. In each, the contrasts that are open are tested at the level divided by
their number. Whenever one is decided, the others are tested again at the larger level that this leaves. By the closure
principle this keeps the level of each family; with one stage it is Holm 1979. A decision is final: a later stage never
changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.reporting.verdicts.outcomes import ROLES, Role
from harness.reporting.verdicts.stage_tests import ContrastTests
from harness.reporting.verdicts.verdict import VerdictState


@dataclass(frozen=True)
class Decision:
    """The state of one contrast.

    Attributes:
        stage: The stage that decides it; None while it is undecided.
        levels: The level at which it was tested last, for supporting and for contradicting.
    """

    state: VerdictState
    stage: int | None
    levels: dict[Role, float]


def decide_family(contrasts: Sequence[ContrastTests], count: int, level: float) -> list[Decision]:
    """Decide all contrasts over the stages that are reached.

    Args:
        count: Number of verdicts that share the level; at least the number of ``contrasts``.
        level: Level of each family.
    """
    decisions: list[Decision | None] = [None] * len(contrasts)
    passed: dict[Role, set[int]] = {role: set() for role in ROLES}
    for stage in sorted({stage for contrast in contrasts for stage in contrast.reached}):
        tested_at = {role: _test_open(contrasts, passed[role], role, stage, count, level) for role in ROLES}
        for index, decision in enumerate(decisions):
            supported, contradicted = (index in passed[role] for role in ROLES)
            if decision is None and supported != contradicted:
                state: VerdictState = "supported" if supported else "contradicted"
                decisions[index] = Decision(state, stage, {role: tested_at[role][index] for role in ROLES})
    return [
        decision or Decision("undecided", None, {role: level / max(count - len(passed[role]), 1) for role in ROLES})
        for decision in decisions
    ]


def _test_open(
    contrasts: Sequence[ContrastTests], passed: set[int], role: Role, stage: int, count: int, level: float
) -> list[float]:
    """Add to ``passed`` the contrasts that pass at ``stage``, and return the level at which each was tested last."""
    tested_at = [level / max(count - len(passed), 1)] * len(contrasts)
    while True:
        share = level / max(count - len(passed), 1)
        new = set()
        for index, contrast in enumerate(contrasts):
            if index not in passed:
                tested_at[index] = share
                at = contrast.reached_at(role, share)
                if at is not None and at <= stage:
                    new.add(index)
        if not new:
            return tested_at
        passed |= new
