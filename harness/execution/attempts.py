"""The attempts at a trial: each has a number, and a file that records where it started and how it ended.

The file of an attempt whose process died has no end; :mod:`harness.execution.claim` decides what follows.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress

from harness.errors import HarnessError
from harness.io.file_identity import is_of_another_file
from harness.io.storage import Folder
from harness.processes import Process
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.identity import Spec

FILE_NAME = re.compile(r"attempt-(\d+)\.json")
NEVER_BORN = "copied"
"""In place of the start of a process: no process has it, so this one counts as ended."""
END_NAMES = {
    None: "",
    TrialStatus.FINISHED: "finished",
    TrialStatus.DIVERGED: "diverged",
    TrialStatus.INTERRUPTED: "stopped",
    TrialStatus.PRUNED: "stopped",
    TrialStatus.FAILED: "failed",
    TrialStatus.SUPERSEDED: "superseded",
}
"""How the files name the end of an attempt. They do not distinguish a pruned trial from an interrupted one."""
END_STATUSES = {name: status for status, name in END_NAMES.items() if status is not TrialStatus.PRUNED}


class Attempt(Spec):
    """One process's attempt at a trial.

    Attributes:
        launch: Identifies the run of the driver that started the attempt.
        token: Identifies the attempt, and the folder in which it was made. Another attempt can have the same number if
            the folder was archived in between.
        started: Milliseconds since 1970.
        epoch: The number of epochs that were done at its start.
        step: The number of steps that were done in the next epoch at its start.
        end_status: How it ended; None while it runs, and if its process died. A pruned trial's attempt reads as
            INTERRUPTED: only the trial's history tells the two apart.
        notes: What a user should know about it.
        error: Why it failed.
        trace: The traceback of its failure.
    """

    number: int
    launch: str
    token: str = ""
    process: Process
    started: int
    epoch: int = 0
    step: int = 0
    end_status: TrialStatus | None = None
    notes: tuple[str, ...] = ()
    error: str = ""
    trace: str = ""

    @classmethod
    def from_json(cls, content: bytes) -> Attempt:
        """Return the attempt in the content of its file.

        Raises:
            ValueError: The file is damaged.
        """
        fields = json.loads(content)
        if not isinstance(fields, dict) or fields.get("ended", "") not in END_STATUSES:
            raise ValueError("this is not an attempt")
        end_status = END_STATUSES[fields.pop("ended", "")]
        return cls.model_validate({**fields, "end_status": end_status})

    def to_json(self) -> bytes:
        """Return the content of the attempt's file."""
        fields = self.model_dump(mode="json", exclude={"end_status"})
        fields["ended"] = END_NAMES[self.end_status]
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()

    @property
    def is_running_here(self) -> bool:
        """Whether another process on this host is certainly working on it."""
        is_open = self.end_status is None and self.process.is_local and not self.process.has_ended
        return is_open and self.process != Process.current()

    @property
    def name(self) -> str:
        """The name of its file in the trial's folder."""
        return f"attempt-{self.number:04d}.json"


def read_attempts(folder: Folder) -> list[Attempt]:
    """Return a trial's attempts, oldest first. A file that cannot be read is left out."""
    attempts = []
    for name in folder.list_names():
        if FILE_NAME.fullmatch(name):
            with suppress(HarnessError, ValueError):
                attempts.append(_without_foreign_process(Attempt.from_json(folder.read(name)), folder))
    return attempts


def _without_foreign_process(attempt: Attempt, folder: Folder) -> Attempt:
    """Return an attempt as it is in this folder: no process works in a copy of the folder in which one works."""
    is_copy = attempt.process.is_local and is_of_another_file(attempt.token, folder.path)
    if attempt.end_status is not None or not is_copy:
        return attempt
    return attempt.model_copy(update={"process": attempt.process.model_copy(update={"born": NEVER_BORN})})
