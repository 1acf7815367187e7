"""The record without MLflow (``--tracking-uri none``): the journals of the trials themselves.

For machines that have no MLflow; it answers the same calls as :class:`harness.tracking.store.Store`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.files import write_whole
from harness.specs import Study, Trial, Variant
from harness.tracking.history import History, newest_journal
from harness.tracking.store import Recorded


def trial_directory(home: Path, trial: str) -> Path:
    """Where a trial's checkpoints are."""
    return home / "trials" / trial


class Journals:
    """One experiment whose record is its trials' checkpoints below ``home``."""

    def __init__(self, home: Path, name: str) -> None:
        self.home, self.name = home, name
        self.place = str(home)

    @property
    def experiment_is_new(self) -> bool:
        """Whether it never ran here."""
        return not self._study_path.is_file()

    def trials(self) -> dict[str, Recorded]:
        """The finished trials by id."""
        found = {}
        for directory in sorted((self.home / "trials").glob("*")):
            journal = newest_journal(directory)
            if journal is not None and journal[0].done and directory.name == journal[0].id:
                last = journal[0].epochs[-1].metrics
                seconds = sum(last.get(f"time/{clock}_s") or 0.0 for clock in ("train", "eval"))
                found[journal[0].id] = Recorded("", True, seconds)
        return found

    def histories(self, trials: Iterable[str]) -> list[History]:
        """The histories of those trials that have one."""
        journals = (newest_journal(trial_directory(self.home, trial)) for trial in trials)
        return [journal[0] for journal in journals if journal is not None and journal[0].done]

    def study(self) -> Study:
        """The experiment as it was last run.

        Raises:
            HarnessError: It never ran here.
        """
        path = self._study_path
        if not path.is_file():
            raise HarnessError(
                f"no experiment '{self.name}' is recorded", where=self.place, remedy=f"harness run {self.name}"
            )
        return Study.model_validate_json(path.read_text())

    @property
    def _study_path(self) -> Path:
        return self.home / "studies" / f"{self.name}.json"

    def prepare(self, study: Study) -> None:
        """Keep the study."""
        write_whole(self._study_path, study.record_json().encode())

    def refresh(self) -> None:
        """Nothing is cached."""

    def elsewhere(self, trials: Iterable[str]) -> dict[str, Callable[[], History]]:
        """All experiments share the journals."""
        return {}

    def create_trial(self, study: Study, trial: Trial) -> str:
        """No run is needed."""
        return ""

    def publish(self, run_id: str, history: History) -> None:
        """The journal is the record."""

    def supersede(self, trials: Iterable[str]) -> None:
        """The driver puts the journal aside."""

    def fail(self, run_id: str, message: str, trace: str) -> None:
        """The summary names it."""

    def summarise(self, study: Study, variant: Variant, histories: Sequence[History]) -> None:
        """There is no UI to compare variants in."""

    def attach_report(self, directory: Path, headline: str) -> None:
        """The report is in its directory."""
