"""What are the trials, which are recorded already, and what will the rest cost?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import median
from typing import Literal

from harness.costs.complexity import static_costs
from harness.data.description import require_files, steps_per_epoch
from harness.errors import HarnessError
from harness.experiments.planning.device_budget import memory_warning
from harness.experiments.planning.experiment_diff import describe_changes
from harness.experiments.planning.seed_grouping import PlannedGroup, group_seeds
from harness.experiments.planning.seed_requirements import require_reachable, undeclared_look_warning
from harness.io.storage import Folder
from harness.specs import Degradation, Execution, ExternalNetwork, ResolvedExperiment, Trial, Variant
from harness.specs.experiment.data_parallel import require_workers
from harness.specs.experiment.resolved_experiment import SEARCH, TUNED
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.layer_plan import require_input
from harness.tracking.history import History, ensemble_seeds, newest_journal
from harness.tracking.record import Record

State = Literal["recorded", "unpublished", "elsewhere", "started", "new"]
STATES: dict[State, str] = {
    "recorded": "recorded",
    "unpublished": "trained, to be published",
    "elsewhere": "trained for another experiment, to be published here",
    "started": "goes on from its checkpoint",
    "new": "to run",
}

MOST_PARAMS = 2_000_000_000
"""Their values, gradients and momenta are 24 GB; the largest published ResNets have half of it."""
MOST_YEARS = 30
"""Of one trial, by the rough estimate; beyond thousands of years a time cannot even be written."""
SECONDS_PER_YEAR = 365.25 * 24 * 3600
FEWEST_IMAGES = 2
"""Images that a margin of error has to be worth at least."""
SECONDS_PER_LAYER = {"cpu": 4e-4, "gpu": 1.5e-4}
MACS_PER_SECOND = {"cpu": 1.5e10, "gpu": 1e13}
"""Rough rates of a training step, forward and backward: dispatch per layer, and arithmetic per core or GPU."""


@dataclass(frozen=True)
class PlannedTrial:
    """A trial, how far it is, about how many seconds are left of it, and what it is for (:meth:`Study.purpose`).

    Attributes:
        company: The seeds that it was begun together with, its own among them; empty for alone, and for a new one.
        memory_format: The setting that it was begun with; empty for a new one.
    """

    trial: Trial
    state: State
    seconds: float
    epochs_done: int = 0
    part: str = "common"
    company: tuple[int, ...] = ()
    memory_format: str = ""

    def settled(self, execution: Execution) -> Execution:
        """The experiment's settings, but for those in which the trial has begun: it ends as it would have."""
        return execution.model_copy(update={"memory_format": self.memory_format or execution.memory_format})


@dataclass(frozen=True)
class PendingTrials:
    """Trials that follow from results that are not there yet.

    Attributes:
        name: As their variant will be called.
        seconds: Of all of them.
    """

    name: str
    part: str
    trials: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """All trials of a study, in its order."""

    study: ResolvedExperiment
    trials: tuple[PlannedTrial, ...]
    concurrency: int
    changes: tuple[str, ...] = ()
    """What is set otherwise than when the experiment was last run, in words."""
    warning: str = ""
    """What a user should know before it starts."""
    later: tuple[PendingTrials, ...] = ()

    @property
    def to_run(self) -> list[PlannedTrial]:
        """Trials to train: a search, on which others wait, then the longest, so that none is left over at the end."""
        todo = [planned for planned in self.trials if planned.state in ("started", "new")]
        return sorted(todo, key=lambda planned: (planned.part != "search", -planned.seconds))

    @cached_property
    def jobs(self) -> tuple[PlannedGroup, ...]:
        """The same as they are launched: several seeds of a variant together where the experiment has it so."""
        return tuple(group_seeds(self.to_run, self.study, self.concurrency))

    @property
    def seconds(self) -> float:
        """About how long the rest takes at the plan's concurrency; that seeds share a step is left out."""
        todo = self.to_run
        known = max(sum(planned.seconds for planned in todo) / self.concurrency, *(p.seconds for p in self.jobs), 0.0)
        return known + sum(later.seconds for later in self.later) / self.concurrency

    @property
    def trial_seconds(self) -> float:
        """About how long the rest takes one trial after the other."""
        return sum(planned.seconds for planned in self.to_run) + sum(later.seconds for later in self.later)

    def count(self, state: State) -> int:
        """Number of trials in a state."""
        return Counter(planned.state for planned in self.trials)[state]


def count_external_layers(study: ResolvedExperiment) -> ResolvedExperiment:
    """The same with the layers of foreign networks counted, for which each is built once.

    Raises:
        HarnessError: One of them cannot be made, or does not take the data's images.
    """
    variants = tuple(
        v.model_copy(update={"layers": static_costs(v, study.data.size).layers})
        if isinstance(v, ExternalNetwork)
        else v
        for v in study.variants
    )
    return study if variants == study.variants else study.model_copy(update={"variants": variants})


def require_trainable(study: ResolvedExperiment) -> None:
    """Refuse what could not be trained, before anything is written.

    Raises:
        HarnessError: The batch is larger than the data, the augmentation does not fit it, or the declared
            contrasts can never be decided with so few seeds.
    """
    recipe = study.experiment.recipe
    if recipe.batch > study.data.train:
        raise HarnessError(
            f"a batch of {recipe.batch} is larger than the {study.data.train} training images of {study.data.name}",
            where="recipe.batch",
            remedy=f"Use at most {study.data.train}.",
        )
    if recipe.crop_padding >= min(study.data.size) and recipe.augment in ("crop", "crop-flip"):
        raise HarnessError(
            f"padding by {recipe.crop_padding} pixels would crop images of {study.data.size[0]} away",
            where="recipe.crop_padding",
            remedy="Use less than the image's side.",
        )
    require_files(study.experiment.data, recipe.augment)
    require_workers(study.variants, recipe, study.experiment.resources)
    _require_feasible(study)
    require_reachable(study)
    for contrast in study.experiment.contrasts:
        if isinstance(contrast, Degradation) and contrast.margin * study.data.train / 100 < FEWEST_IMAGES:
            raise HarnessError(
                f"a margin of {contrast.margin:g} points is less than {FEWEST_IMAGES} of the {study.data.train} "
                "training images",
                where="contrasts",
                remedy=f"Use at least {100 * FEWEST_IMAGES / study.data.train:.2g}.",
            )


def _require_feasible(study: ResolvedExperiment) -> None:
    """Refuse networks that no machine holds, and trials that nobody waits for, before anything is allocated."""
    for variant in study.variants:
        if isinstance(variant, Variant):
            require_input(variant, study.data.size)
        params, seed = _costs(variant, study.data.size)[0], study.experiment.seeds[0]
        if params > MOST_PARAMS:
            raise HarnessError(
                f"{variant.name} has {params:,} parameters",
                where="variants",
                remedy=f"Use smaller widths: at most {MOST_PARAMS:,} are trained.",
            )
        trial = Trial(variant=variant, data=study.experiment.data, recipe=study.experiment.recipe, seed=seed)
        years = estimate(trial, study) / SECONDS_PER_YEAR
        if years > MOST_YEARS:
            raise HarnessError(
                f"one trial of {variant.name} would take about {years:,.0f} years",
                where="recipe.epochs",
                remedy="Use fewer epochs, or smaller networks or images.",
            )


@lru_cache(maxsize=1024)
def _costs(variant: AnyVariant, size: tuple[int, int]) -> tuple[int, int]:
    """(parameters, MACs) of a variant, which all of its seeds share; a deep one takes a while to expand."""
    costs = static_costs(variant, size)
    return costs.params, costs.macs


def make_plan(
    study: ResolvedExperiment,
    record: Record,
    storage: Folder,
    concurrency: int,
    force: bool = False,
    before: ResolvedExperiment | None = None,
    kept: Collection[str] = (),
    one_machine: bool = True,
) -> Plan:
    """Look every trial up: in the record, in its journal, in other experiments of the same store.

    Args:
        force: Plan as if nothing were recorded, but for the trials ``kept``, which this run trained already.
        before: The experiment as it was last run; what is changed since is said.
        one_machine: Whether all trials run on one.

    Raises:
        HarnessError: A checkpoint is of a newer version, or of another trial.
    """
    recorded = record.trials()
    again = {trial.id for trial in study.everything if force and trial.id not in kept}
    finished = {identity for identity, run in recorded.items() if run.finished and identity not in again}
    todo = [trial for trial in study.everything if trial.id not in finished]
    journals: dict[str, History] = {}
    there = set(storage.names()) - again
    for trial in todo:
        journal = newest_journal(storage / trial.id, trial.id) if trial.id in there else None
        if journal is not None:
            journals[trial.id] = journal
    absent = [trial.id for trial in todo if trial.id not in journals and trial.id not in again]
    elsewhere = record.elsewhere(absent) if absent else {}

    guess = {trial.id: estimate(trial, study) for trial in study.everything}
    known = [recorded[identity].seconds / guess[identity] for identity in finished if identity in guess]
    scale = median([ratio for ratio in known if ratio > 0] or [1.0])
    planned = []
    for trial in study.everything:
        state: State = "new"
        done = 0
        if trial.id in finished:
            state = "recorded"
        elif trial.id in journals:
            journal_done = journals[trial.id].done
            state = "unpublished" if journal_done else "started"
            done = journals[trial.id].last_epoch
        elif trial.id in elsewhere:
            state = "elsewhere"
        left = 0.0 if state not in ("new", "started") else 1 - done / trial.recipe.epochs
        begun_in = journals[trial.id] if state == "started" else None
        company = ensemble_seeds(begun_in)
        memory_format = begun_in.provenance.get("execution", {}).get("memory_format", "") if begun_in else ""
        planned.append(
            PlannedTrial(
                trial, state, left * scale * guess[trial.id], done, study.purpose(trial), company, memory_format
            )
        )
    begun = [t for t in todo if t.id not in journals and t.id in recorded and recorded[t.id].begun and not force]
    crowd = [recorded[identity] for identity in finished if identity in guess] if todo else []
    warnings = [
        _left_elsewhere(len(begun), record.storage, str(storage)) if begun else "",
        undeclared_look_warning(study),
        memory_warning(crowd, study.experiment.resources, concurrency, one_machine),
    ]
    return Plan(
        study,
        tuple(planned),
        concurrency,
        describe_changes(before, study) if before is not None else (),
        " ".join(warning for warning in warnings if warning),
        _later(study, scale),
    )


def _later(study: ResolvedExperiment, scale: float) -> tuple[PendingTrials, ...]:
    """What follows from a search: samples that learn from others, and the trials with the choices."""
    tune, found = study.experiment.tune, []
    if tune is None or study.choices:
        return ()
    for variant in study.variants:
        recipe, data = study.experiment.recipe, study.experiment.data
        seconds = scale * estimate(Trial(variant=variant, data=data, recipe=recipe, seed=0), study)
        samples = (tune.samples - len(study.samples_of(variant.name))) * len(tune.seeds)
        if samples:
            found.append(PendingTrials(f"{variant.name}{SEARCH.rstrip()}", "search", samples, samples * seconds))
        seeds = len(study.experiment.seeds)
        found.append(PendingTrials(f"{variant.name}{TUNED}", "tuned", seeds, seeds * seconds))
    return tuple(found)


def _left_elsewhere(count: int, before: str, now: str) -> str:
    """What to say of trials that had begun, and of which there is no checkpoint here."""
    if before in ("", now):
        return ""
    return (
        f"{count} trial{'s' * (count > 1)} had begun with checkpoints in {before}, and would begin anew in {now}. "
        f"To go on with {'them' if count > 1 else 'it'}: --storage {before}"
    )


def estimate(trial: Trial, study: ResolvedExperiment) -> float:
    """About how many seconds a trial takes, by rule; the record's own times correct it once there are some."""
    resources, recipe = study.experiment.resources, trial.recipe
    _, macs = _costs(trial.variant, study.data.size)
    device = "gpu" if resources.gpus else "cpu"
    each = min(resources.gpus, 1) if resources.gpus else resources.cpus
    rate = MACS_PER_SECOND[device] * each * resources.workers
    dispatch = SECONDS_PER_LAYER[device] * trial.variant.depth
    step = dispatch + 3 * recipe.batch * macs / rate
    steps = steps_per_epoch(study.data.train, recipe.batch)
    evaluated = (study.data.train + study.data.val + study.data.test) / study.experiment.execution.evaluate_every
    evaluation = evaluated * macs / rate + dispatch
    return recipe.epochs * (steps * step + evaluation)
