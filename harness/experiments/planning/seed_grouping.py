"""Which trials make one job: several seeds of a variant together, where that is asked for and pays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.specs import ResolvedExperiment, Trial, Variant
from harness.specs.identity import canonical
from harness.specs.network.layer_plan import plan_layers

if TYPE_CHECKING:
    from harness.experiments.planning.plan import PlannedTrial

AUTO_SEEDS, AUTO_MACS = 4, 3_000_000
"""What ``auto`` does: so many seeds together, of variants with at most so many MACs for an image, on one thread.

Drawn from the table of benchmarks/README.md (c): at 2.5 million four together are 1.14 times as fast and more, at 10
million it is not clear, at 41 million they are slower: larger networks fill a core by themselves.
"""
AUTO_ROUNDS = 2
"""Jobs that each slot still gets with ``auto``: fewer and longer ones would leave cores idle at the end."""


@dataclass(frozen=True)
class PlannedGroup:
    """Trials that one job trains.

    Attributes:
        company: The seeds of the network that they are trained in, in its order; empty for a trial that is alone. Of a
            company that had begun before, it may hold seeds that are done.
    """

    trials: tuple[PlannedTrial, ...]
    company: tuple[int, ...] = ()

    @property
    def seconds(self) -> float:
        """About what is left of it, each trial by itself."""
        return sum(planned.seconds for planned in self.trials)


def group_seeds(todo: Sequence[PlannedTrial], study: ResolvedExperiment, concurrency: int) -> list[PlannedGroup]:
    """The jobs of trials that are to run: a search first, then the longest.

    Companies are formed of the experiment's seeds in order, so many at a time; of them, those that begin now are
    together. A trial that has begun stays in its company, or alone: another one would round differently.
    """
    if study.experiment.execution.seeds_together == "off":
        return _longest_first([PlannedGroup((planned,)) for planned in todo])
    size = seeds_per_group(study, concurrency, len(todo))
    cells: dict[str, list[str]] = {}
    for trial in study.everything:
        cells.setdefault(_cell(trial), []).append(trial.id)
    # Also of a trial that had no checkpoint yet when its company was interrupted.
    begun = {(_cell(p.trial), seed): p.company for p in todo for seed in p.company}
    packs: list[PlannedGroup] = []
    companies: dict[tuple[str, tuple[int, ...] | int], list[PlannedTrial]] = {}
    for planned in todo:
        cell, company, new = _cell(planned.trial), planned.company, planned.state == "new"
        if new and not company:
            company = begun.get((cell, planned.trial.seed), ())
        if grouping_obstacle(planned.trial, study) or not (company or (new and size > 1)):
            packs.append(PlannedGroup((planned,)))
        else:
            key = company or cells[cell].index(planned.trial.id) // size
            companies.setdefault((cell, key), []).append(planned)
    for (cell, key), members in companies.items():
        members.sort(key=lambda planned: cells[cell].index(planned.trial.id))
        company = key if isinstance(key, tuple) else tuple(planned.trial.seed for planned in members)
        packs.append(PlannedGroup(tuple(members), company if len(company) > 1 else ()))
    return _longest_first(packs)


def _longest_first(packs: Iterable[PlannedGroup]) -> list[PlannedGroup]:
    return sorted(packs, key=lambda pack: (pack.trials[0].part != "search", -pack.seconds))


def seeds_per_group(study: ResolvedExperiment, concurrency: int, todo: int) -> int:
    """How many seeds an experiment trains together that has ``todo`` trials left; 1 for each alone."""
    setting = study.experiment.execution.seeds_together
    if setting == "off":
        return 1
    if setting != "auto":
        return setting
    enough = todo // AUTO_SEEDS >= AUTO_ROUNDS * concurrency
    small = all(isinstance(v, Variant) and plan_layers(v, study.data.size).macs <= AUTO_MACS for v in study.variants)
    return AUTO_SEEDS if enough and small and study.experiment.resources.cpus == 1 else 1


def grouping_obstacle(trial: Trial, study: ResolvedExperiment) -> str:
    """Why this trial can not be trained together with others and be what it is alone; empty where it can."""
    resources, execution = study.experiment.resources, study.experiment.execution
    if not isinstance(trial.variant, Variant):
        return "it is of another library"
    if trial.variant.random:
        return "it draws random numbers while it trains"
    if trial.variant.weights is not None and trial.variant.weights.freeze != "nothing":
        return "a part of it is frozen"
    if trial.scheduler is not None:
        return "a scheduler may end it before the others"
    if trial.recipe.augment == "resized-crop-flip":
        return "its images are decoded anew for each trial"
    if resources.gpus or trial.recipe.precision != "fp32":
        return "only fp32 on CPUs is trained together"
    if resources.workers > 1:
        return "it has several workers"
    return "it is compiled" if execution.compile else ""


def grouping_obstacles(todo: Iterable[PlannedTrial], study: ResolvedExperiment) -> dict[str, str]:
    """Of each variant whose trials are alone although the experiment trains seeds together, why."""
    found = {planned.trial.variant.name: grouping_obstacle(planned.trial, study) for planned in todo}
    return {name: why for name, why in found.items() if why}


def _cell(trial: Trial) -> str:
    """What trials that differ in their seed alone have in common."""
    return canonical({key: value for key, value in trial.identity().items() if key != "seed"})
