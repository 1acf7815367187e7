"""A trial's run in MLflow as an entry of the record: MLflow's statuses and tags become a :class:`RecordedTrial`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.metrics import CLOCKS
from harness.tracking.mlflow_record.tags import ERROR_TAG, INTERRUPTED_TAG, MEMORY_TAG, OUTCOME_TAG
from harness.tracking.outcome_names import parse_outcome
from harness.tracking.recorded_trial import RecordedTrial

if TYPE_CHECKING:
    from mlflow.entities import Run

RUN_STATUSES = {
    TrialStatus.NEW: "SCHEDULED",
    TrialStatus.RUNNING: "RUNNING",
    TrialStatus.INTERRUPTED: "KILLED",
    TrialStatus.FAILED: "FAILED",
    TrialStatus.SUPERSEDED: "KILLED",
    TrialStatus.FINISHED: "FINISHED",
    TrialStatus.DIVERGED: "FINISHED",
    TrialStatus.PRUNED: "FINISHED",
}
"""MLflow's status of a trial's run. A run that is FINISHED also has the trial's outcome as a tag."""


def read_trial_run(run: Run) -> RecordedTrial:
    """Return the entry that a trial's run holds."""
    tags, info = run.data.tags, run.info
    return RecordedTrial(
        run_id=info.run_id,
        status=_read_status(run),
        run_status=info.status,
        name=info.run_name,
        error=tags.get(ERROR_TAG) or tags.get(INTERRUPTED_TAG, ""),
        seconds=sum(run.data.metrics.get(key, 0.0) for key in CLOCKS),
        memory=_read_memory(tags.get(MEMORY_TAG, "")),
        at=info.end_time or info.start_time or 0,
    )


def _read_status(run: Run) -> TrialStatus:
    if is_complete(run):
        return parse_outcome(run.data.tags[OUTCOME_TAG])
    by_run_status = {
        "SCHEDULED": TrialStatus.NEW,
        "RUNNING": TrialStatus.RUNNING,
        "FAILED": TrialStatus.FAILED,
    }
    return by_run_status.get(run.info.status, TrialStatus.INTERRUPTED)


def is_complete(run: Run) -> bool:
    """Return whether a trial's run holds the trial's whole history."""
    return run.info.status == RUN_STATUSES[TrialStatus.FINISHED] and OUTCOME_TAG in run.data.tags


def format_memory(peak: int, device: int) -> str:
    """Return the value of the tag that holds a trial's peak memory and the memory of its device, in bytes."""
    return f"{peak} of {device}"


def _read_memory(text: str) -> tuple[int, int]:
    sizes = re.fullmatch(r"(\d{1,18}) of (\d{1,18})", text)
    return (int(sizes[1]), int(sizes[2])) if sizes else (0, 0)
