"""Checks that trials can reach the declared targets, and that the times until then can be compared."""

from __future__ import annotations

from harness.errors import HarnessError
from harness.experiments.planning.seed_grouping import grouping_obstacle, seeds_per_group
from harness.specs import ResolvedExperiment
from harness.specs.experiment.targets import TimeToTarget


def require_measurable_targets(study: ResolvedExperiment) -> None:
    """Check each target on each data set, and that seconds are not those of several seeds trained together.

    Raises:
        HarnessError: A target's error is never measured, guessing reaches it, or a contrast over seconds can never be
            decided, because seeds trained together have no time of their own.
    """
    for index, target in enumerate(study.experiment.targets):
        for data in study.data_sets:
            if target.metric == "val/error" and not data.val:
                raise HarnessError(
                    f"no validation error is measured on {data.title}, because it has no validation images",
                    where=f"targets.{index}.metric",
                    remedy="Set val_fraction of the data set, for example to 0.1, or use test/error.",
                )
            if target.value >= data.chance_error:
                raise HarnessError(
                    f"an error of {target.value:g} % on {data.title} is reached by guessing among {data.classes} "
                    f"classes ({data.chance_error:g} %)",
                    where=f"targets.{index}.value",
                    remedy=f"Use a value below {data.chance_error:g}.",
                )
    for index in _list_contrasts_over_seconds(study):
        if names := _list_trained_together(study, index):
            raise HarnessError(
                f"seeds of {names[0]} are trained together, so a trial has no seconds of its own",
                where=f"contrasts.{index}.unit",
                remedy="Set execution.seeds_together to off, or compare epochs.",
            )


def require_exclusive_seconds(study: ResolvedExperiment, concurrency: int) -> None:
    """Check that a contrast over seconds compares trials that have their device to themselves.

    Args:
        concurrency: Trials that run at the same time.

    Raises:
        HarnessError: Trials share a device, so that their seconds are never compared.
    """
    if concurrency == 1 or study.experiment.resources.gpus >= 1:
        return
    for index in _list_contrasts_over_seconds(study):
        raise HarnessError(
            f"{concurrency} trials would share a device at a time, and seconds of a shared device are not compared",
            where=f"contrasts.{index}.unit",
            remedy="Use --set resources.max_concurrent=1 (one trial at a time), whole GPUs, or unit: epochs.",
        )


def _list_contrasts_over_seconds(study: ResolvedExperiment) -> list[int]:
    contrasts = enumerate(study.experiment.contrasts)
    return [index for index, c in contrasts if isinstance(c, TimeToTarget) and c.unit == "seconds"]


def _list_trained_together(study: ResolvedExperiment, index: int) -> list[str]:
    """Return the compared variants of a contrast whose seeds may form an ensemble."""
    if seeds_per_group(study, concurrency=1, trials=len(study.all_trials)) == 1:
        return []
    names = set(study.contrast_variants[index].values())
    trials = {trial.variant.name: trial for view in study.views for trial in view.trials}
    return [name for name, trial in trials.items() if name in names and not grouping_obstacle(trial, study)]
