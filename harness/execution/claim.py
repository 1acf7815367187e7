"""The claim of one process to a trial, so that only the newest attempt trains it and writes its files.

The number of an attempt is a fencing token: a host that was cut off and comes back finds a higher number, and stops.
A trial whose processes died is resumed, until they died too often at the same place.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from harness.errors import HarnessError
from harness.execution.attempts import FILE_NAME, Attempt, read_attempts
from harness.io.atomic_files import make_directory
from harness.io.checkpoint_names import list_checkpoints
from harness.io.file_identity import add_identity
from harness.io.storage import Folder
from harness.io.storage_mark import WrongStorage, require_mark
from harness.processes import Process
from harness.specs.experiment.trial_status import TrialStatus

MAX_DEATHS = 3
"""Workers that a trial may lose at one position before it is given up."""


class Superseded(Exception):
    """Another attempt trains the trial, or has taken it over."""


class GivenUp(HarnessError):
    """Workers died again and again at one position of a trial."""


class Claim:
    """This process's claim to a trial. Creating it starts a new attempt.

    Args:
        launch: Identifies the run of the driver.
        position: Where the attempt starts, (epochs done, steps done in the next one).

    Attributes:
        attempt: The attempt of this process.
        started: When the trial's first attempt began, in milliseconds since 1970.
        is_after_death: Whether the attempt before it, in the same run of the driver, lost its worker.

    Raises:
        Superseded: A process of another run trains the trial now.
        GivenUp: Too many workers died at this position.
        HarnessError: The storage does not answer.
    """

    def __init__(self, folder: Folder, launch: str, position: tuple[int, int]) -> None:
        self.folder = folder
        earlier_attempts = read_attempts(folder)
        previous = earlier_attempts[-1] if earlier_attempts else None
        if previous is not None and previous.launch != launch and previous.is_running_here:
            raise Superseded(f"another run trains it: {previous.process}")
        self.attempt = self._create_attempt(launch, position)
        self.started = min(attempt.started for attempt in (*earlier_attempts, self.attempt))
        deaths = 0
        for attempt in reversed(earlier_attempts):
            if (attempt.launch, attempt.epoch, attempt.step, attempt.end_status) != (launch, *position, None):
                break
            deaths += 1
        for name in folder.list_names():
            # Files that a killed process has written in part.
            if name.startswith((".checkpoint-", ".attempt-")):
                with suppress(HarnessError):
                    folder.remove(name)
        self.is_after_death = previous is not None and previous.launch == launch and previous.end_status is None
        if deaths >= MAX_DEATHS:
            error = GivenUp(
                f"its worker was killed {deaths} times in epoch {position[0] + 1}, before it could save a checkpoint",
                where=str(folder),
                remedy="The machine may be short of memory: use fewer trials at once (resources.max_concurrent), fewer "
                "seeds together (execution.seeds_together), or a smaller batch.",
            )
            self.end(TrialStatus.FAILED, error=str(error))
            raise error

    def _create_attempt(self, launch: str, position: tuple[int, int]) -> Attempt:
        """Create the file of a new attempt with the next free number."""
        if self.folder.path is not None:
            make_directory(self.folder.path)
        while True:
            attempt = Attempt(
                number=self._newest_number() + 1,
                launch=launch,
                token=add_identity(uuid4().hex, self.folder.path),
                process=Process.current(),
                started=int(time.time() * 1000),
                epoch=position[0],
                step=position[1],
            )
            if self.folder.write_new(attempt.name, attempt.to_json()):
                return attempt

    def _newest_number(self) -> int:
        numbers = (FILE_NAME.fullmatch(name) for name in self.folder.list_names())
        return max((int(match[1]) for match in numbers if match), default=0)

    def require_current(self) -> None:
        """Check that no other attempt has taken the trial over. Called before anything is written.

        Raises:
            Superseded: Another attempt has the trial, or its folder was archived.
        """
        newest = self._newest_number()
        if newest > self.attempt.number:
            raise Superseded(f"attempt {newest} has taken this trial over from attempt {self.attempt.number}")
        token = self._stored_token()
        if token is None:
            # The folder was deleted, with everything in it. The trial continues in a new one.
            self.folder.write_new(self.attempt.name, self.attempt.to_json())
        elif token != self.attempt.token:
            raise Superseded(f"the folder of attempt {self.attempt.number} was archived, and another one was started")

    def _stored_token(self) -> str | None:
        """Return the token in the file with this attempt's number; None if there is no such file."""
        if self.attempt.name not in self.folder.list_names():
            return None
        with suppress(ValueError):
            return Attempt.from_json(self.folder.read(self.attempt.name)).token
        return ""

    def add_note(self, text: str) -> None:
        """Add a note for the user to the attempt, unless it has it already. :meth:`end` writes it."""
        if text not in self.attempt.notes:
            self.attempt = self.attempt.model_copy(update={"notes": (*self.attempt.notes, text)})

    def describe_resume_point(self) -> str:
        """Return where an interrupted trial will resume, with the attempt's notes.

        If the last checkpoint could not be written, that is not where the trial stopped.
        """
        try:
            newest = list_checkpoints(self.folder)[:1]
        except HarnessError as error:
            return error.what
        position = (
            f"at epoch {newest[0].epoch}, step {newest[0].step}" if newest else "without a checkpoint: it starts again"
        )
        return "; ".join([position, *self.attempt.notes])

    def end(self, status: TrialStatus, error: str = "", trace: str = "") -> None:
        """Record how the attempt ended. If that cannot be written, the trial's checkpoint is enough to continue."""
        self.attempt = self.attempt.model_copy(update={"end_status": status, "error": error, "trace": trace})
        with suppress(HarnessError):
            if self._stored_token() in (None, self.attempt.token):
                self.folder.write(self.attempt.name, self.attempt.to_json())


def claim_trial(
    folder: Folder, launch: str, is_stopping: Callable[[], bool], patience: float, storage_mark: str = ""
) -> Claim:
    """Claim a trial for this process.

    Args:
        patience: Seconds to try again if the storage does not accept the claim, for example because its disk is full.
        storage_mark: The mark that the storage must have; empty to accept any storage.

    Raises:
        Superseded: A process of another run trains the trial.
        WrongStorage: The storage has another mark.
        GivenUp: Too many workers died at this position.
        HarnessError: The storage does not answer in time.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            if storage_mark:
                require_mark(folder.parent, storage_mark)
            newest = list_checkpoints(folder)[:1]
            return Claim(folder, launch, newest[0].position if newest else (0, 0))
        except (GivenUp, WrongStorage):
            raise
        except HarnessError:
            if is_stopping() or time.monotonic() > deadline:
                raise
            time.sleep(1)
