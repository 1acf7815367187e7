"""Checks that an experiment's seeds can decide its contrasts, and that its interim looks are declared."""

from __future__ import annotations

from collections.abc import Sequence
from math import ulp

from harness.errors import HarnessError
from harness.specs import ResolvedExperiment
from harness.specs.declarations.batches import level_share, longest_batches
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, seeds_to_reach


def require_enough_seeds(study: ResolvedExperiment) -> None:
    """Check that the claim of every declared contrast can be reached with the experiment's seeds.

    The strictest test counts: the smallest share of the level at which a part of a claim is tested, in Holm's first
    step, at the share of one look, and at the share of a further batch of seeds where the record holds earlier ones.
    Stages (``decide``) have spent the whole level at the last one. An experiment with fewer than eight seeds claims
    nothing, so it always passes.

    Raises:
        HarnessError: The seeds can never decide a contrast, or interim looks are declared at other numbers of seeds.
    """
    experiment = study.experiment
    seeds, looks = len(experiment.seeds), experiment.looks
    if not experiment.contrasts or seeds < SEEDS_FOR_CLAIMS:
        return
    if looks and seeds not in looks:
        raise HarnessError(
            f"interim looks are declared at {_join(looks, 'and')} seeds, but the experiment has {seeds}",
            where="looks",
            remedy=f"Use --seeds {_join(looks)}, or declare this look before the first one is taken.",
        )
    share = min(contrast.smallest_share for contrast in experiment.contrasts)
    batches = len(longest_batches(study))
    # The product of the smallest levels would be 0.
    level = max(level_share(batches) * share * experiment.look_level, ulp(0.0))
    number, needed = min(looks, default=seeds), seeds_to_reach(level, study.verdict_count)
    if number < needed:
        where, amount = ("looks", "seeds") if looks else ("seeds", "seeds")
        if experiment.decide is not None:
            where, amount = "decide.most", "seeds as the most"
        raise HarnessError(
            f"{number} seeds cannot decide every contrast: {_describe_sharing(study, batches)}, and the strictest test "
            f"has {share:g} of such a share, {level / study.verdict_count:.2g}. The smallest possible p is "
            f"1/2^{number}, {0.5**number:.2g}",
            where=where,
            remedy=f"Use at least {needed} {amount}, or declare fewer contrasts{' or looks' if looks else ''}.",
        )


def _describe_sharing(study: ResolvedExperiment, batches: int) -> str:
    """Return what shares the level, in words."""
    experiment, verdicts = study.experiment, study.verdict_count
    parts = [f"{verdicts} verdict{'s' * (verdicts > 1)}"]
    if experiment.looks:
        parts.append(f"{len(experiment.looks)} look{'s' * (len(experiment.looks) > 1)}")
    level = f"the level of {experiment.level:g}"
    if batches:
        level = f"1/{round(1 / level_share(batches))} of the level of {experiment.level:g} (for a further batch)"
    return f"{_join(parts, 'and')} share{'s' * (verdicts == 1 and not experiment.looks)} {level}"


def _join(items: Sequence[object], last: str = "or") -> str:
    """Join items as ``a, b or c``."""
    words = [str(item) for item in items]
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
