"""Who trains a trial: each attempt has a number, and a file that says where it began and how it ended.

The number fences: a host that was cut off and comes back finds a higher one and lets go. What a dead process
could not say any more is what its file lacks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.io.storage import Folder, WrongStorage, checkpoints
from harness.processes import Process
from harness.specs.identity import Spec

MOST_DEATHS = 3
"""Workers that a trial may lose at one and the same place before it is given up."""


class Superseded(Exception):
    """The trial is another attempt's: it was taken over, or it is being trained."""


class GivenUp(HarnessError):
    """Workers died at the same place of a trial again and again."""


class Attempt(Spec):
    """One process's try at a trial.

    Attributes:
        launch: The driver's run that it belongs to.
        token: Tells it from another of the same number, where its folder was put aside meanwhile.
        started: Milliseconds since 1970.
        epoch: Epochs that were done when it began, and ``step`` in the next.
        ended: ``finished``, ``diverged``, ``stopped``, ``failed``, ``superseded``; empty while it runs, or died.
        notes: What a user should know of it.
        error: Why it failed, and ``trace`` with the traceback.
    """

    number: int
    launch: str
    token: str = ""
    process: Process
    started: int
    epoch: int = 0
    step: int = 0
    ended: str = ""
    notes: tuple[str, ...] = ()
    error: str = ""
    trace: str = ""

    @property
    def died(self) -> bool:
        """Whether its process ended without a word."""
        return not self.ended and self.process.gone

    @property
    def alive(self) -> bool:
        """Whether another process of this host certainly is at it."""
        return not self.ended and self.process.here and not self.process.gone and self.process != Process.this()

    @property
    def name(self) -> str:
        """Its file in the trial's folder."""
        return f"attempt-{self.number:04d}.json"


def read_attempts(folder: Folder) -> list[Attempt]:
    """A trial's attempts, oldest first; one whose file cannot be read is left out."""
    found = []
    for name in folder.names():
        if re.fullmatch(r"attempt-\d+\.json", name):
            with suppress(HarnessError, ValidationError):
                found.append(Attempt.model_validate_json(folder.read(name)))
    return found


class Claim:
    """This process's hold on a trial.

    Raises:
        Superseded: Another run's process trains it at present.
        GivenUp: Workers died at this place again and again.
        HarnessError: The storage does not answer.
    """

    def __init__(self, folder: Folder, launch: str, position: tuple[int, int]) -> None:
        self.folder = folder
        before = read_attempts(folder)
        if before and before[-1].launch != launch and before[-1].alive:
            raise Superseded(f"another run trains it: {before[-1].process}")
        self.attempt = self._take(launch, position)
        deaths = 0
        for earlier in reversed(before):
            if (earlier.launch, earlier.epoch, earlier.step, earlier.ended) != (launch, *position, ""):
                break
            deaths += 1
        for name in folder.names():
            # What a killed process had half written.
            if name.startswith((".checkpoint-", ".attempt-")):
                with suppress(HarnessError):
                    folder.remove(name)
        self.after_death = bool(before) and before[-1].launch == launch and not before[-1].ended
        if deaths >= MOST_DEATHS:
            error = GivenUp(
                f"its worker was killed {deaths} times in epoch {position[0] + 1}, without reaching a checkpoint",
                where=str(folder),
                remedy="The machine may be short of memory: use fewer trials at once (resources.max_concurrent), fewer "
                "seeds together (execution.seeds_together), or a smaller batch.",
            )
            self.end("failed", error=str(error))
            raise error

    def _take(self, launch: str, position: tuple[int, int]) -> Attempt:
        while True:
            attempt = Attempt(
                number=self._newest() + 1,
                launch=launch,
                token=uuid4().hex,
                process=Process.this(),
                started=int(time.time() * 1000),
                epoch=position[0],
                step=position[1],
            )
            if self.folder.create(attempt.name, attempt.model_dump_json().encode()):
                return attempt

    def _newest(self) -> int:
        numbers = (re.fullmatch(r"attempt-(\d+)\.json", name) for name in self.folder.names())
        return max((int(match[1]) for match in numbers if match), default=0)

    def hold(self) -> None:
        """Make sure that the trial is still this attempt's; asked before anything is written.

        Raises:
            Superseded: It is not.
        """
        newest = self._newest()
        if newest > self.attempt.number:
            raise Superseded(f"attempt {newest} has taken this trial over from attempt {self.attempt.number}")
        written = self._written()
        if written is None:
            # The folder has vanished, and with it what there was: go on in a new one.
            self.folder.create(self.attempt.name, self.attempt.model_dump_json().encode())
        elif written != self.attempt.token:
            raise Superseded(f"the folder of attempt {self.attempt.number} was put aside, and another one begun")

    def _written(self) -> str | None:
        """The token in the file of this attempt's number; None where there is no such file."""
        if self.attempt.name not in self.folder.names():
            return None
        with suppress(ValidationError):
            return Attempt.model_validate_json(self.folder.read(self.attempt.name)).token
        return ""

    def note(self, text: str) -> None:
        """Keep what a user should know of this attempt, once."""
        if text in self.attempt.notes:
            return
        self.attempt = self.attempt.model_copy(update={"notes": (*self.attempt.notes, text)})

    def where_stopped(self) -> str:
        """From where a stopped trial will go on, which is not where it was if its last checkpoint failed."""
        try:
            newest = checkpoints(self.folder)[:1]
        except HarnessError as error:
            return f"; {error.what}"
        where = (
            f"at epoch {newest[0].epoch}, step {newest[0].step}" if newest else "without a checkpoint: it begins anew"
        )
        return "; ".join([where, *self.attempt.notes])

    def end(self, how: str, error: str = "", trace: str = "") -> None:
        """Say how it ended; where that cannot be written, the trial's checkpoint says enough."""
        self.attempt = self.attempt.model_copy(update={"ended": how, "error": error, "trace": trace})
        with suppress(HarnessError):
            if self._written() in (None, self.attempt.token):
                self.folder.write(self.attempt.name, self.attempt.model_dump_json().encode())


def claim_trial(folder: Folder, launch: str, stopping: Callable[[], bool], patience: float, mark: str = "") -> Claim:
    """Take a trial; where the storage does not let it, such as a full disk, try for ``patience`` seconds.

    Args:
        mark: Of the storage that the folder is to lie in; empty: whichever is there.

    Raises:
        Superseded: Another run trains it.
        Elsewhere: The storage is another one.
        HarnessError: The storage still does not answer, or the trial is given up.
    """
    until = time.monotonic() + patience
    while True:
        try:
            if mark:
                folder.parent.require_mark(mark)
            newest = checkpoints(folder)[:1]
            return Claim(folder, launch, newest[0].position if newest else (0, 0))
        except (GivenUp, WrongStorage):
            raise
        except HarnessError:
            if stopping() or time.monotonic() > until:
                raise
            time.sleep(1)
