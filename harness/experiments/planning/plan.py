"""A plan: the trials of an experiment, the status of each, and what the unfinished ones will cost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from harness.errors import HarnessError
from harness.experiments.planning.device_budget import count_concurrent_trials, memory_warning
from harness.experiments.planning.estimate import estimate_seconds
from harness.experiments.planning.experiment_diff import describe_changes
from harness.experiments.planning.planned_trial import PendingTrials, PlannedGroup, PlannedTrial
from harness.experiments.planning.seed_grouping import group_seeds
from harness.experiments.planning.seed_requirements import require_enough_seeds
from harness.experiments.planning.stage_forecast import StageForecast
from harness.experiments.planning.target_requirements import require_exclusive_seconds
from harness.experiments.planning.trial_lookup import TrialLookup
from harness.experiments.search import extend_search
from harness.io.storage import Folder
from harness.settings import Settings
from harness.specs import ResolvedExperiment, Trial
from harness.specs.adaptive.stage_decision import StagePosition
from harness.specs.declarations.batches import warn_batches
from harness.specs.declarations.exploratory import warn_exploratory
from harness.specs.experiment.resolved.variant_suffixes import SEARCH_SUFFIX, TUNED_SUFFIX
from harness.tracking.analyses.analysis_log import add_other_analyses
from harness.tracking.record import Record


@dataclass(frozen=True)
class Plan:
    """All trials of an experiment, in its order.

    Attributes:
        concurrency: Trials that run at the same time.
        changes: Differences from the experiment's last run, one line each.
        warning: What a user should know before the run starts; empty if there is nothing.
        pending: Trials that depend on results of a search.
        stage: In an adaptive experiment, the stage whose trials the plan has; None where it has all trials.
        forecast: In an adaptive experiment, what it may still cost; only in a plan that is shown.
    """

    study: ResolvedExperiment
    trials: tuple[PlannedTrial, ...]
    concurrency: int
    changes: tuple[str, ...] = ()
    warning: str = ""
    pending: tuple[PendingTrials, ...] = ()
    stage: StagePosition | None = None
    forecast: StageForecast | None = None

    @property
    def to_run(self) -> list[PlannedTrial]:
        """Trials to train: a search first, because others depend on it, then the longest, to fill all slots."""
        trials = [planned for planned in self.trials if planned.needs_training]
        return sorted(trials, key=lambda planned: (not planned.is_search, -planned.seconds))

    @cached_property
    def groups(self) -> tuple[PlannedGroup, ...]:
        """The trials to train, grouped as they are launched."""
        return tuple(group_seeds(self.to_run, self.study, self.concurrency))

    @property
    def seconds(self) -> float:
        """Estimated time of the run at the plan's concurrency; ignores the time that ensembles save."""
        trial_seconds = sum(planned.seconds for planned in self.to_run) / self.concurrency
        longest_group = max((group.seconds for group in self.groups), default=0.0)
        return max(trial_seconds, longest_group) + sum(p.seconds for p in self.pending) / self.concurrency

    @property
    def trial_seconds(self) -> float:
        """Estimated time of the run with one trial at a time."""
        return sum(planned.seconds for planned in self.to_run) + sum(pending.seconds for pending in self.pending)

    @property
    def recorded(self) -> int:
        """Number of trials whose whole history is in the record."""
        return sum(planned.status.is_complete for planned in self.trials)


def plan_experiment(
    study: ResolvedExperiment,
    record: Record,
    storage: Folder,
    settings: Settings,
    force: bool = False,
    trained: Collection[str] = (),
) -> Plan:
    """Plan an experiment as the record and the checkpoints are now: first extend its search, then look up each trial.

    Args:
        force: Whether to train recorded trials again.
        trained: With ``force``, ids of trials that this run has already trained again.

    Raises:
        HarnessError: The record or the storage does not answer, a checkpoint cannot be used, or a contrast can never be
            decided: by the level that earlier batches of seeds leave, or because trials share their device.
    """
    if not force or trained:
        study = extend_search(study, record, storage)
    last_run = None if record.is_new else record.read_experiment()
    plan = make_plan(
        add_other_analyses(record, study.with_looks_of(last_run)),
        record,
        storage,
        count_concurrent_trials(study.experiment.resources, settings),
        force,
        trained,
        last_run,
        settings.one_machine,
    )
    _require_decidable(plan)
    return plan


def _require_decidable(plan: Plan) -> None:
    """Check before the first training what depends on the record and on the devices; see :func:`plan_experiment`.

    Once something is recorded, a report of it is worth more than an error.
    """
    if plan.recorded or not plan.to_run:
        return
    try:
        require_enough_seeds(plan.study)
        require_exclusive_seconds(plan.study, plan.concurrency)
    except HarnessError as error:
        where = f"experiment {plan.study.experiment.name}, {error.where}"
        raise HarnessError(error.what, where=where, remedy=error.remedy) from error


def make_plan(
    study: ResolvedExperiment,
    record: Record,
    storage: Folder,
    concurrency: int,
    force: bool = False,
    trained: Collection[str] = (),
    last_run: ResolvedExperiment | None = None,
    one_machine: bool = True,
) -> Plan:
    """Look up every trial in the record, in its checkpoints, and in other experiments of the same store.

    Args:
        concurrency: Trials that run at the same time.
        force: Whether to train recorded trials again.
        trained: With ``force``, ids of trials that this run has already trained again.
        last_run: The experiment as it was last run, to list what has changed; None if it never ran.
        one_machine: Whether all trials run on one machine.

    Raises:
        HarnessError: A checkpoint was written by a newer version, or belongs to another trial.
    """
    lookup = TrialLookup(study, record, storage, {t.id for t in study.all_trials if force and t.id not in trained})
    estimates = {trial.id: estimate_seconds(trial, study) for trial in study.all_trials}
    finished = [run for identity, run in lookup.finished.items() if identity in estimates]
    ratios = [run.seconds / estimates[identity] for identity, run in lookup.finished.items() if identity in estimates]
    # The record's own times correct the estimate, which is rough but in proportion.
    scale = median([ratio for ratio in ratios if ratio > 0] or [1.0])
    warnings = [
        "" if force else _other_storage_warning(lookup.count_started_without_checkpoint(), record, storage),
        warn_exploratory(study),
        warn_batches(study),
        memory_warning(finished, study.experiment.resources, concurrency, one_machine) if lookup.unfinished else "",
    ]
    return Plan(
        study,
        tuple(lookup.plan_trial(trial, scale * estimates[trial.id]) for trial in study.all_trials),
        concurrency,
        describe_changes(last_run, study) if last_run is not None else (),
        " ".join(warning for warning in warnings if warning),
        _pending_trials(study, scale),
    )


def _pending_trials(study: ResolvedExperiment, scale: float) -> tuple[PendingTrials, ...]:
    """Return the trials that depend on a search: its later samples, and the trials with the chosen recipes.

    Args:
        scale: Factor that corrects estimated times.
    """
    experiment, pending = study.experiment, []
    tune = experiment.tune
    if tune is None or study.choices:
        return ()
    for variant in study.variants:
        trial = Trial(variant=variant, data=study.data_spec, recipe=experiment.recipe, seed=0)
        seconds = scale * estimate_seconds(trial, study)
        samples = (tune.samples - len(study.samples_of(variant.name))) * len(tune.seeds)
        if samples:
            name = f"{variant.name}{SEARCH_SUFFIX.rstrip()}"
            pending.append(PendingTrials(name, "search", samples, samples * seconds))
        seeds = len(experiment.seeds)
        pending.append(PendingTrials(f"{variant.name}{TUNED_SUFFIX}", "tuned", seeds, seeds * seconds))
    return tuple(pending)


def _other_storage_warning(trials: int, record: Record, storage: Folder) -> str:
    """Return a warning about trials that were started with checkpoints in another storage; empty if there are none."""
    last_storage = record.read_storage() if trials else ""
    if last_storage in ("", str(storage)):
        return ""
    return (
        f"{trials} trial{'s' * (trials > 1)} started with checkpoints in {last_storage}, and would start again from "
        f"the beginning in {storage}. To resume {'them' if trials > 1 else 'it'}: --storage {last_storage}"
    )
