"""Whether an experiment's seeds can decide its verdicts, and which looks were taken at them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import HarnessError
from harness.specs import Difference, ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, seeds_to_reach


def require_reachable(study: ResolvedExperiment) -> None:
    """Refuse seeds and looks enough for claims, yet too few for the strictest of the declared verdicts.

    With fewer than eight it is a preview that claims nothing, and passes.

    Raises:
        HarnessError: They can never be reached, or looks are declared at other numbers of seeds.
    """
    experiment = study.experiment
    seeds, verdicts, looks = len(experiment.seeds), study.claims, experiment.looks
    if not verdicts:
        return
    if looks and seeds >= SEEDS_FOR_CLAIMS and seeds not in looks:
        raise HarnessError(
            f"looks are declared at {_or(looks, 'and')} seeds, and not at {seeds}",
            where="looks",
            remedy=f"Use --seeds {_or(looks)}, or declare the look before the first one is taken.",
        )
    # Of the smallest level that any of them has in Holm's first step, over the sides that its p has.
    needed, sides, level = max(
        (seeds_to_reach(level, verdicts, sides == 2), sides, level)
        for contrast in experiment.contrasts
        for level in [experiment.look_level * contrast.share]
        for sides in [2 if isinstance(contrast, Difference) and contrast.side == "two-sided" else 1]
    )
    for asked in looks or (seeds,):
        if SEEDS_FOR_CLAIMS <= asked < needed:
            what = f"{verdicts} verdict{'s' * (verdicts > 1)} at level {level:.3g}"
            share = f", the share of one of {len(looks)} looks," if looks else ""
            raise HarnessError(
                f"{what}{share} can never be reached with {asked} seeds: the smallest p is {sides}/2^{asked}",
                where="looks" if looks else "seeds",
                remedy=f"Use at least {needed} seeds, or declare fewer contrasts{' or looks' if looks else ''}.",
            )


def undeclared_look_warning(study: ResolvedExperiment) -> str:
    """What to say before seeds are added to a verdict that was looked at, where that was not declared."""
    seeds, declared = set(study.experiment.seeds), study.experiment.looks
    readings = [study] if study.tuned is None else [study, study.tuned]
    known = {key for reading in readings for key in reading.contrast_keys}
    taken = {
        len(look.seeds)
        for look in study.looks
        if look.cells in known
        and set(look.seeds) < seeds
        and (look.declared != declared or len(look.seeds) not in declared)
    }
    if not taken:
        return ""
    return (
        f"A verdict of this experiment was looked at with {_or(sorted(taken), 'and')} seeds, which its looks do not "
        f"declare: with {len(seeds)} it will be exploratory."
    )


def _or(items: Sequence[object], last: str = "or") -> str:
    """``a, b or c``."""
    words = [str(item) for item in items]
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
