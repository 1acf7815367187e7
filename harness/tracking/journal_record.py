"""The record without MLflow (``--tracking-uri none``): the journals of the trials themselves.

For machines that have no MLflow; it answers the same calls as :class:`harness.tracking.mlflow_record.writer.MlflowRecord`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.storage import Folder
from harness.specs import ResolvedExperiment, Trial
from harness.specs.measured_cost import MeasuredCost
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.cost_metrics import parse_cost
from harness.tracking.history import History, newest_journal
from harness.tracking.mlflow_record.descriptions import VariantDescription
from harness.tracking.mlflow_record.reader import RecordedTrial


class JournalRecord:
    """One experiment whose record is its trials' checkpoints in ``storage``; its settings are in ``home``."""

    def __init__(self, home: Path, name: str, storage: Folder) -> None:
        self.home, self.name, self.folder = home, name, storage
        self.place = str(home)

    @property
    def experiment_is_new(self) -> bool:
        """Whether it never ran here."""
        return not self._study_path.is_file()

    def trials(self) -> dict[str, RecordedTrial]:
        """The finished trials by id."""
        return {
            identity: RecordedTrial(
                "", True, journal.seconds, "FINISHED", name=journal.trial.label, memory=journal.memory
            )
            for identity in self.folder.names()
            if re.fullmatch("[0-9a-f]{12}", identity)
            and (journal := newest_journal(self.folder / identity, identity)) is not None
            and journal.done
        }

    def superseded(self) -> dict[str, list[RecordedTrial]]:
        """There are no runs; the folders that were put aside say why."""
        return {}

    def histories(self, trials: Iterable[str]) -> list[History]:
        """The histories of those trials that have one."""
        journals = (newest_journal(self.folder / trial, trial) for trial in trials)
        return [journal for journal in journals if journal is not None and journal.done]

    def record_cost(self, cost: MeasuredCost) -> None:
        """A file for each measurement."""
        at = cost.repeats[-1].at if cost.repeats else 0
        path = self._costs / f"{at:013d}-{cost.key}.json"
        write_atomic(path, cost.model_dump_json(exclude_defaults=True).encode())

    def costs(self) -> list[MeasuredCost]:
        """The measured costs, oldest first."""
        return [parse_cost(path.read_bytes(), str(path)) for path in sorted(self._costs.glob("*.json"))]

    @property
    def _costs(self) -> Path:
        return self.home / "costs" / self.name

    def study(self) -> ResolvedExperiment:
        """The experiment as it was last run.

        Raises:
            HarnessError: It never ran here.
        """
        path = self._study_path
        if not path.is_file():
            raise HarnessError(
                f"no experiment '{self.name}' is recorded", where=self.place, remedy=f"harness run {self.name}"
            )
        try:
            return ResolvedExperiment.model_validate_json(path.read_text())
        except (OSError, ValidationError) as error:
            raise HarnessError(
                "it does not hold an experiment that this version can read",
                where=str(path),
                remedy="Run the experiment again: nothing that is trained is trained twice.",
            ) from error

    @property
    def _study_path(self) -> Path:
        return self.home / "studies" / f"{self.name}.json"

    @property
    def _lease_path(self) -> Path:
        return self.home / "locks" / f"{self.name}.json"

    def create(self, study: ResolvedExperiment) -> None:
        """Nothing is needed before the lock."""

    def lease(self) -> str:
        """Who holds the experiment, as :mod:`harness.tracking.lock` wrote it."""
        try:
            return self._lease_path.read_text()
        except OSError:
            return ""

    def write_lease(self, content: str) -> None:
        """Put another lease in its place."""
        if content:
            write_atomic(self._lease_path, content.encode())
        else:
            self._lease_path.unlink(missing_ok=True)

    @property
    def storage(self) -> str:
        """Of no use here: what lies in another place is another record."""
        return ""

    def prepare(self, study: ResolvedExperiment, storage: str = "", whole: bool = True) -> None:
        """Keep the study of a run of the whole experiment."""
        if whole:
            self.keep(study)

    def keep(self, study: ResolvedExperiment) -> None:
        """Put the study in place of the one that was kept: another run, or one more look at it."""
        write_atomic(self._study_path, study.record_json().encode())

    def refresh(self, variant: str | None = None) -> None:
        """Nothing is cached."""

    def elsewhere(self, trials: Iterable[str]) -> dict[str, Callable[[], History]]:
        """All experiments share the journals."""
        return {}

    def create_trial(self, study: ResolvedExperiment, trial: Trial) -> str:
        """No run is needed."""
        return ""

    def publish(self, run_id: str, history: History) -> None:
        """The journal is the record."""

    def supersede(self, trials: Iterable[str], reason: str) -> None:
        """The driver puts the journal aside."""

    def fail(self, run_id: str, message: str, trace: str) -> None:
        """The trial's own attempt says it."""

    def traceback(self, run_id: str) -> str:
        """The trial's own attempt has it."""
        return ""

    def stop(self, run_id: str, reason: str) -> None:
        """The trial's own attempt says it."""

    def left_running(self) -> dict[str, RecordedTrial]:
        """There are no runs."""
        return {}

    def note_end(self, reason: str) -> None:
        """The command line has said it."""

    def summarise(self, study: ResolvedExperiment, variant: AnyVariant, histories: Sequence[History]) -> None:
        """There is no UI to compare variants in."""

    def attach_report(self, directory: Path, headline: str) -> None:
        """The report is in its directory."""

    def describe(self, study: ResolvedExperiment, described: Mapping[str, VariantDescription]) -> None:
        """There is no UI to describe variants in."""
