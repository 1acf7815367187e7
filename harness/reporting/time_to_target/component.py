"""The component of a time_to_target contrast: which variant of each pair reaches the target earlier."""

from __future__ import annotations

import pandas as pd

from harness.reporting.time_to_target.ordered_pairs import OrderedPairs, order_pairs
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.effect_tests import EffectTest
from harness.reporting.verdicts.outcomes import Outcome, OutcomeResult
from harness.specs.experiment.targets import TimeToTarget
from harness.tracking.results_table import Results
from harness.tracking.target_times import find_target_times

EARLIER, LATER = "earlier", "later"


def build_time_to_target(
    results: Results, contrast: TimeToTarget, names: dict[str, str], final: pd.DataFrame, excluded_seeds: frozenset[int]
) -> tuple[Component, ...]:
    """Return one component, whose difference of a pair is -1 where a is earlier, 1 where b is, and 0 else.

    The sign-flip test of these differences is the exact sign test of the pairs with a known order, because flipping
    the sign of 0 changes nothing. All rules of stages and of levels therefore hold for it as they are.

    Args:
        names: Names of the compared variants, by their role in the contrast.
        final: The last epoch of every trial; its seeds are those that count.
        excluded_seeds: Seeds to leave out.
    """
    pairs = find_pairs(results, contrast, names, excluded_seeds)
    known = set(final["seed"].tolist())
    signs = {seed: sign for seed, sign in pairs.order.items() if seed in known}
    metric = contrast.declared_target.metric
    test = EffectTest(
        metric,
        comparison=None,
        low=None,
        high=None,
        over_images=False,
        differences=signs,
        is_order=True,
    )
    outcomes = (
        OutcomeResult(Outcome(EARLIER, "supports", (("less", 0.0),), contrast.share)),
        OutcomeResult(Outcome(LATER, "contradicts", (("greater", 0.0),), 1 - contrast.share)),
    )
    variants = names["a"], names["b"]
    return (Component(contrast.kind, " earlier than ".join(variants), outcomes, 0.0, (test,), variants),)


def find_pairs(
    results: Results, contrast: TimeToTarget, names: dict[str, str], excluded_seeds: frozenset[int] = frozenset()
) -> OrderedPairs:
    """Return the pairs of a contrast in the order in which they reach its target.

    Args:
        names: Names of the compared variants, by their role in the contrast.
    """
    rows = results.epochs[results.epochs["variant"].isin(list(names.values()))]
    times = find_target_times(rows, contrast.declared_target)
    a, b = ({time.seed: time for time in times if time.variant == names[role]} for role in ("a", "b"))
    seeds = [seed for seed in results.study.experiment.seeds if seed not in excluded_seeds]
    return order_pairs(a, b, seeds, contrast.unit)
