"""Checks that an experiment's seeds can decide its contrasts, and that its interim looks are declared."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import HarnessError
from harness.specs import Difference, ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, seeds_to_reach


def require_enough_seeds(study: ResolvedExperiment) -> None:
    """Check that the declared contrasts can reach significance with the experiment's seeds and interim looks.

    An experiment with fewer than eight seeds claims nothing, so it always passes.

    Raises:
        HarnessError: The seeds can never decide the strictest contrast, or interim looks are declared at other
            numbers of seeds.
    """
    experiment = study.experiment
    seeds, verdicts, looks = len(experiment.seeds), study.verdict_count, experiment.looks
    if not verdicts:
        return
    if looks and seeds >= SEEDS_FOR_CLAIMS and seeds not in looks:
        raise HarnessError(
            f"interim looks are declared at {_join(looks, 'and')} seeds, but the experiment has {seeds}",
            where="looks",
            remedy=f"Use --seeds {_join(looks)}, or declare this look before the first one is taken.",
        )
    # The strictest contrast needs the most seeds: the smallest level in Holm's first step, over the sides of its test.
    needed, sides, level = max(
        (seeds_to_reach(level, verdicts, sides == 2), sides, level)
        for contrast in experiment.contrasts
        for level in [experiment.look_level * contrast.share]
        for sides in [2 if isinstance(contrast, Difference) and contrast.side == "two-sided" else 1]
    )
    for number in looks or (seeds,):
        if SEEDS_FOR_CLAIMS <= number < needed:
            subject = f"{verdicts} verdict{'s' * (verdicts > 1)} at level {level:.3g}"
            share = f", the share of one of {len(looks)} looks," if looks else ""
            raise HarnessError(
                f"{subject}{share} cannot be reached with {number} seeds: the smallest possible p is "
                f"{sides}/2^{number}",
                where="looks" if looks else "seeds",
                remedy=f"Use at least {needed} seeds, or declare fewer contrasts{' or looks' if looks else ''}.",
            )


def _join(items: Sequence[object], last: str = "or") -> str:
    """Join items as ``a, b or c``."""
    words = [str(item) for item in items]
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
