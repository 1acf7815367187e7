"""One trial trained again beside its recorded self, which stays in the record until the new one is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.execution.archive import AGAIN
from harness.execution.trial_group import TrialGroup
from harness.experiments.planning.plan import Plan, PlannedTrial, estimate
from harness.io.storage import Folder
from harness.io.storage_mark import MARK
from harness.launchers.base import ReportProgress
from harness.launchers.inline import launch
from harness.launchers.stop_request import StopRequest
from harness.specs import ResolvedExperiment, Trial
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.history import History


class DebugLauncher:
    """The launcher without Ray that keeps what a trial raised, for a debugger to look at.

    Attributes:
        error: The last exception that ended a trial, with its traceback.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __call__(self, jobs: Sequence[TrialGroup], concurrency: int, report: ReportProgress, stop: StopRequest) -> None:
        """Run the jobs in their order."""
        launch(jobs, concurrency, report, stop, self._keep)

    def _keep(self, error: Exception) -> None:
        self.error = error


def single_trial_plan(
    study: ResolvedExperiment, trial: Trial, epochs_done: int = 0, trained: bool = False, company: tuple[int, ...] = ()
) -> Plan:
    """A plan of one trial; of one that is trained, only what there is to publish.

    Args:
        company: The seeds that it was trained together with: in the same network it comes out the same bit for bit.
    """
    left = 1 - epochs_done / trial.recipe.epochs
    if trained:
        return Plan(study, (PlannedTrial(trial, "unpublished", 0.0, trial.recipe.epochs),), 1)
    state = "started" if epochs_done else "new"
    planned = PlannedTrial(trial, state, left * estimate(trial, study), epochs_done, company=company)  # type: ignore[arg-type]
    return Plan(study, (planned,), 1)


@contextmanager
def scratch_record(name: str, storage: Folder) -> Iterator[CheckpointRecord]:
    """A record of its own for what is trained in ``storage``: nothing of it reaches the store."""
    with TemporaryDirectory(prefix="depthbench-again-") as scratch:
        yield CheckpointRecord(Path(scratch), name, storage)


def promote_rerun(storage: Folder, trial: str) -> None:
    """Give the folder of a trial that was trained beside its old self the name that it is looked for under.

    Raises:
        HarnessError: The storage does not answer.
    """
    place = storage / f"{trial}{AGAIN}"
    (place / trial).rename(storage / trial)
    place.remove(MARK)
    if place.path is not None:
        with suppress(OSError):
            place.path.rmdir()


def first_difference(before: History, now: History) -> str:
    """The first epoch and metric in which two histories differ, clocks left out; empty where all are bit for bit equal.

    JSON keeps every bit of a float, so histories from a journal and from the store compare alike.
    """
    old, new = ({epoch.epoch: epoch.metrics for epoch in history.epochs} for history in (before, now))
    for epoch in sorted(old.keys() | new.keys()):
        if epoch not in old or epoch not in new:
            return f"epoch {epoch} was measured {'now' if epoch in new else 'before'} alone"
        for key in dict.fromkeys([*old[epoch], *new[epoch]]):
            if key.startswith("time/"):
                continue
            if key not in old[epoch] or key not in new[epoch]:
                return f"epoch {epoch}: {key} was measured {'now' if key in new[epoch] else 'before'} alone"
            if old[epoch][key] != new[epoch][key]:
                return f"epoch {epoch}: {key} was {old[epoch][key]!r}, is {new[epoch][key]!r}"
    if before.outcome != now.outcome:
        return f"it {before.outcome} before, and {now.outcome} now"
    return ""


def differing_settings(before: History, now: History) -> list[str]:
    """What else is not the same of the two, and may be why: software, device, threads, revision."""
    ignored = {"attempts", "shared", "memory"}
    keys = [key for key in dict.fromkeys([*before.provenance, *now.provenance]) if key not in ignored]
    return [
        f"{key}: {before.provenance.get(key)} -> {now.provenance.get(key)}"
        for key in keys
        if before.provenance.get(key) != now.provenance.get(key)
    ]
