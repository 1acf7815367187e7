"""The grouping of trials: which seeds of a variant are trained together as one ensemble."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.experiments.planning.planned_trial import PlannedGroup, PlannedTrial
from harness.specs import ResolvedExperiment, Trial, Variant
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.identity import canonical
from harness.specs.network.layer_plan import plan_layers

AUTO_SEEDS, AUTO_MACS = 4, 3_000_000
"""With ``seeds_together: auto``, so many seeds form an ensemble, if each network has at most so many MACs per image.

Measured in benchmarks/README.md (c) on one thread. At 2.5 million MACs an ensemble of four is at least 1.14 times as
fast, at 10 million it makes no clear difference, and at 41 million it is slower: larger networks fill a core alone.
"""
AUTO_GROUPS_PER_SLOT = 2
"""Fewest groups for each concurrent slot with ``auto``. Fewer and longer ones would leave cores idle at the end."""


def group_seeds(trials: Sequence[PlannedTrial], study: ResolvedExperiment, concurrency: int) -> list[PlannedGroup]:
    """Group the trials that need training, search trials first, then the longest groups.

    The experiment's seeds are divided into ensembles in their order, and each ensemble trains those of its seeds that
    are new. An interrupted trial stays in the ensemble in which it was started, or alone: any other ensemble would
    round differently.
    """
    if study.experiment.execution.seeds_together == "off":
        return _longest_first([PlannedGroup((planned,)) for planned in trials])
    size = seeds_per_group(study, concurrency, len(trials))
    seed_order: dict[str, list[str]] = {}
    for trial in study.all_trials:
        seed_order.setdefault(_without_seed(trial), []).append(trial.id)
    # A trial without a checkpoint is new, but belongs to the interrupted ensemble that its other seeds name.
    interrupted = {(_without_seed(p.trial), seed): p.ensemble_seeds for p in trials for seed in p.ensemble_seeds}
    groups: list[PlannedGroup] = []
    ensembles: dict[tuple[str, tuple[int, ...] | int], list[PlannedTrial]] = {}
    for planned in trials:
        cell, seeds, is_new = _without_seed(planned.trial), planned.ensemble_seeds, planned.status == TrialStatus.NEW
        if is_new and not seeds:
            seeds = interrupted.get((cell, planned.trial.seed), ())
        if grouping_obstacle(planned.trial, study) or not (seeds or (is_new and size > 1)):
            groups.append(PlannedGroup((planned,)))
        else:
            key = seeds or seed_order[cell].index(planned.trial.id) // size
            ensembles.setdefault((cell, key), []).append(planned)
    for (cell, key), members in ensembles.items():
        members.sort(key=lambda planned: seed_order[cell].index(planned.trial.id))
        seeds = key if isinstance(key, tuple) else tuple(planned.trial.seed for planned in members)
        groups.append(PlannedGroup(tuple(members), seeds if len(seeds) > 1 else ()))
    return _longest_first(groups)


def _longest_first(groups: Iterable[PlannedGroup]) -> list[PlannedGroup]:
    """Sort groups: those of a search first, because other trials depend on them, then by falling time."""
    return sorted(groups, key=lambda group: (not group.trials[0].is_search, -group.seconds))


def seeds_per_group(study: ResolvedExperiment, concurrency: int, trials: int) -> int:
    """Return how many seeds train together in an experiment with ``trials`` trials left; 1 if each trains alone."""
    setting = study.experiment.execution.seeds_together
    if setting == "off":
        return 1
    if setting != "auto":
        return setting
    enough = trials // AUTO_SEEDS >= AUTO_GROUPS_PER_SLOT * concurrency
    small = all(
        isinstance(variant, Variant) and plan_layers(variant, view.data.size).macs <= AUTO_MACS
        for view in study.views
        for variant in view.variants
    )
    return AUTO_SEEDS if enough and small and study.experiment.resources.cpus == 1 else 1


def grouping_obstacle(trial: Trial, study: ResolvedExperiment) -> str:
    """Return why a trial cannot train in an ensemble with the result that it has alone; empty if it can."""
    resources, execution = study.experiment.resources, study.experiment.execution
    if not isinstance(trial.variant, Variant):
        return "its network comes from another library"
    if trial.variant.is_stochastic:
        return "its network draws random numbers during training"
    if trial.variant.weights is not None and trial.variant.weights.freeze != "nothing":
        return "a part of its network is frozen"
    if trial.scheduler is not None:
        return "a scheduler may end it before the other seeds"
    if trial.recipe.augment == "resized-crop-flip":
        return "its images are decoded anew for each trial"
    if resources.gpus or trial.recipe.precision != "fp32":
        return "ensembles train in fp32 on CPUs only"
    if resources.workers > 1:
        return "it has several workers"
    return "its network is compiled" if execution.compile else ""


def grouping_obstacles(trials: Iterable[PlannedTrial], study: ResolvedExperiment) -> dict[str, str]:
    """Return, by variant, why its trials train alone although the experiment asks for ensembles."""
    obstacles = {planned.trial.variant.name: grouping_obstacle(planned.trial, study) for planned in trials}
    return {name: obstacle for name, obstacle in obstacles.items() if obstacle}


def _without_seed(trial: Trial) -> str:
    """Return a trial's identity without its seeds: equal for all seeds of one variant, recipe and data set."""
    return canonical(trial.cell_identity())
