"""Removing runs that the store created twice.

A server may create a run although its answer is lost, or long after the client gave up. The client then creates the run
once more, and the first one stays empty, or another process begins to fill it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.tracking.mlflow_record.artifacts import RunArtifacts
from harness.tracking.mlflow_record.experiment import MlflowExperiment
from harness.tracking.mlflow_record.tags import (
    COST,
    EXPERIMENT_FILE,
    IDENTITY_TAG,
    KIND_TAG,
    PARENT_TAG,
    REPORT,
    SEARCH,
    SUPERSEDED_TAG,
    TRIAL,
    TRIAL_TAG,
    VARIANT,
)
from harness.tracking.mlflow_record.trial_runs import is_complete

if TYPE_CHECKING:
    from mlflow.entities import Run


def remove_duplicate_runs(experiment: MlflowExperiment) -> None:
    """Move duplicates of an experiment's runs into MLflow's trash; nest their children under the run that stays.

    Of a trial's runs, the complete one stays, or the one that holds most. Nothing is lost with an incomplete one,
    because the whole history of the trial is sent to the run that stays.

    No process may train a trial of the experiment meanwhile.
    """
    if not dict(_find_duplicates(experiment)):
        return
    # A cached run may have been empty when it was cached, and hold everything now.
    experiment.refresh_runs()
    duplicates = dict(_find_duplicates(experiment))
    for kind in (TRIAL, SEARCH, COST):
        for child in experiment.list_runs(kind):
            kept = duplicates.get(child.data.tags.get(PARENT_TAG, ""))
            if kept is not None and child.info.run_id not in duplicates:
                experiment.client.set_tag(child.info.run_id, PARENT_TAG, kept)
    for run_id in duplicates:
        experiment.delete_run(run_id)
    experiment.refresh_runs()


def _find_duplicates(experiment: MlflowExperiment) -> Iterator[tuple[str, str]]:
    """Yield the id of each run to remove, and of the run that stays in its place."""
    by_trial: dict[str, list[Run]] = {}
    for run in (*experiment.list_runs(TRIAL), *experiment.list_runs(SEARCH)):
        if SUPERSEDED_TAG not in run.data.tags:
            by_trial.setdefault(run.data.tags[TRIAL_TAG], []).append(run)
    by_variant: dict[str, list[Run]] = {}
    for run in experiment.list_runs(VARIANT):
        by_variant.setdefault(run.data.tags[IDENTITY_TAG], []).append(run)
    for of_trial in by_trial.values():
        *others, kept = sorted(of_trial, key=_count_content)
        yield from ((run.info.run_id, kept.info.run_id) for run in others if not is_complete(run))
    for runs in (*by_variant.values(), experiment.list_runs(REPORT)):
        if len(runs) > 1:
            yield from _empty_runs(experiment, runs)


def _count_content(run: Run) -> tuple[bool, int, int]:
    """Return a key by which the run of a trial that holds most comes last."""
    return is_complete(run), len(run.data.metrics), run.info.start_time


def _empty_runs(experiment: MlflowExperiment, runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Yield as :func:`_find_duplicates` does; of several empty runs, the one with parameters or the newest stays."""
    is_empty = {run.info.run_id: _is_empty(experiment, run) for run in runs}
    *others, kept = sorted(
        runs, key=lambda run: (not is_empty[run.info.run_id], len(run.data.params), run.info.start_time)
    )
    for run in others:
        if is_empty[run.info.run_id]:
            yield run.info.run_id, kept.info.run_id


def _is_empty(experiment: MlflowExperiment, run: Run) -> bool:
    """Return whether nothing was written into a run after its creation."""
    if run.data.tags[KIND_TAG] == REPORT:
        return not RunArtifacts(experiment.client, run.info.run_id, experiment.home).has(EXPERIMENT_FILE)
    return not run.data.metrics
