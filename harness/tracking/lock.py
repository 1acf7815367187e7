"""The lock of an experiment: only one process at a time drives it.

The lock is a lease, stored in the record, which is what two drivers share. The holder renews the lease every few
seconds. Another process never compares its clock with the holder's: it watches the lease, and takes it over where the
lease does not change. Each lease has a token. A holder that finds another token in the record has lost the lock and
stops to write, so the token fences it off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from getpass import getuser
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.io.file_identity import add_identity, is_of_another_file
from harness.processes import Process
from harness.specs.identity import Spec

RENEW_SECONDS = 5.0
"""Time between two renewals of a lease."""
WATCH_SECONDS = 4 * RENEW_SECONDS
"""How long a lease of another host is watched before it is taken over."""
SETTLE_SECONDS = 0.2
"""The shortest time to wait between writing a lease and checking that no other process has written one."""
LONGEST_COMMAND = 200
"""Characters of the command in a lease: MLflow takes tags of 5,000."""


class LeaseStore(Protocol):
    """The part of a record that stores the lease of an experiment."""

    @property
    def address(self) -> str:
        """The record's address without a password."""

    @property
    def lease_place(self) -> Path | None:
        """The file or directory on this machine that holds the lease; None where it is on a server."""

    def read_lease(self) -> str:
        """Return the stored lease; empty where there is none."""

    def write_lease(self, content: str) -> None:
        """Replace the stored lease."""


class Lease(Spec):
    """The lease of an experiment, which names the process that holds the experiment's lock.

    Attributes:
        token: Identifies the lease, and the file for which it was made.
        owner: The user.
        command: What the process does, for messages to others.
        since: Milliseconds since 1970 on the owner's clock.
        beat: The number of its renewals.
    """

    token: str
    owner: str
    process: Process
    command: str
    since: int
    beat: int = 0


class ExperimentLock:
    """The lock of one experiment, for the process that runs it, repairs its record or cleans it up.

    Args:
        store: Where the lease is kept.
        command: What the holder does, for messages to others.
        on_loss: Is called with the reason where another process has taken the lock.

    Attributes:
        loss: Why the lock was lost; empty while it is held.
    """

    def __init__(self, store: LeaseStore, command: str, on_loss: Callable[[str], None] = lambda reason: None) -> None:
        self.store, self.on_loss = store, on_loss
        self.loss = ""
        self._released = threading.Event()
        self.lease = Lease(
            token=add_identity(uuid4().hex, store.lease_place),
            owner=_user_name(),
            process=Process.current(),
            command=command[:LONGEST_COMMAND],
            since=int(time.time() * 1000),
        )

    @contextmanager
    def hold(self) -> Iterator[ExperimentLock]:
        """Hold the lock within the context, and renew its lease in a thread.

        Raises:
            HarnessError: Another process holds it.
        """
        self._acquire()
        thread = threading.Thread(target=self._renew_until_released, name="lock", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._released.set()
            thread.join(RENEW_SECONDS)
            with suppress(HarnessError):
                holder = self._read_holder()
                if holder is not None and holder.token == self.lease.token:
                    self.store.write_lease("")

    def require_held(self) -> None:
        """Check that this process still holds the lock.

        Raises:
            HarnessError: Another process holds it.
        """
        holder = self._read_holder()
        if holder is not None and holder.token != self.lease.token:
            raise self._held_by(holder)

    def _acquire(self) -> None:
        holder = self._read_holder()
        if holder is not None and not holder.process.has_ended:
            self._refuse_while_held(holder)
        started = time.monotonic()
        self.store.write_lease(self.lease.model_dump_json())
        # Another process may have written its lease at the same moment; the last lease counts. A slow store is slow
        # for both, so the wait grows with the time that the store took.
        time.sleep(max(SETTLE_SECONDS, 3 * (time.monotonic() - started)))
        self.require_held()

    def _refuse_while_held(self, holder: Lease) -> None:
        """Raise a HarnessError while the holder may be alive; return once it is certain that it is not.

        A process of this host can be checked. A lease of another host, container or boot is watched for renewals. In a
        copy of a store, the lease is a copy too: its holder holds the original.
        """
        if holder.process.is_local and is_of_another_file(holder.token, self.store.lease_place):
            return
        if holder.process.is_local:
            raise self._held_by(holder)
        deadline = time.monotonic() + WATCH_SECONDS
        while time.monotonic() < deadline:
            time.sleep(RENEW_SECONDS / 5)
            current = self._read_holder()
            if current is None:
                return
            if current != holder:
                raise self._held_by(current)

    def _held_by(self, holder: Lease) -> HarnessError:
        minutes = max(time.time() - holder.since / 1000, 0) / 60
        age = f"{minutes:.0f} minutes" if minutes >= 2 else f"{60 * minutes:.0f} seconds"
        return HarnessError(
            f"{holder.owner} has held this experiment for {age}: '{holder.command}', {holder.process}",
            where=self.store.address,
            remedy="Wait for that process or stop it; the lock becomes free when the process ends.",
        )

    def _read_holder(self) -> Lease | None:
        """Return the stored lease; None where there is none, or where it cannot be read."""
        try:
            return Lease.model_validate_json(self.store.read_lease())
        except ValidationError:
            return None

    def _renew_until_released(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            # While the store does not answer, no other process can take the lock either: try again later.
            with suppress(HarnessError):
                holder = self._read_holder()
                if holder is not None and holder.token != self.lease.token:
                    self.loss = self._held_by(holder).what
                    self.on_loss(self.loss)
                    return
                if self._released.is_set():
                    # The store took its time to answer, and the lock is free meanwhile.
                    return
                self.lease = self.lease.model_copy(update={"beat": self.lease.beat + 1})
                self.store.write_lease(self.lease.model_dump_json())


def _user_name() -> str:
    try:
        return getuser()
    except (OSError, KeyError):
        return "an unknown user"
