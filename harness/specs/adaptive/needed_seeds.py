"""The trials of an adaptive experiment that its stages have needed so far, as far as the record shows."""

from __future__ import annotations

from collections.abc import Collection

from harness.specs.experiment.resolved_experiment import ResolvedExperiment


def count_needed_seeds(study: ResolvedExperiment, recorded: Collection[tuple[str, int]]) -> dict[str, int]:
    """Return by variant how many of the declared seeds its stages have needed; all of them without stages.

    A variant has needed the stage in which its last recorded seed lies, and the first stage in any case.

    Args:
        recorded: (variant, seed) of the recorded trials.
    """
    decide, seeds = study.experiment.decide, study.experiment.seeds
    names = [variant.name for variant in study.variants]
    if decide is None:
        return dict.fromkeys(names, len(seeds))
    order = {seed: index for index, seed in enumerate(seeds)}
    last = dict.fromkeys(names, -1)
    for name, seed in recorded:
        if name in last:
            last[name] = max(last[name], order.get(seed, -1))
    return {name: next(stage for stage in decide.stages if stage > index) for name, index in last.items()}
