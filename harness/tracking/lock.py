"""One driver per experiment: a lease in the record itself, which is what two drivers share.

Ages are told by watching, never by comparing clocks of two machines: a holder renews its lease, and a lease that
does not change while it is watched has no holder any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from getpass import getuser
from typing import Protocol
from uuid import uuid4

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.processes import Process
from harness.specs.identity import Spec

RENEW_SECONDS = 5.0
WATCH_SECONDS = 4 * RENEW_SECONDS
"""A lease of another host that is not renewed for so long is taken over."""
SETTLE_SECONDS = 0.2
MOST_LETTERS = 200
"""Of a command: MLflow takes tags of 5,000."""


class Register(Protocol):
    """Where the lease of an experiment is kept."""

    @property
    def place(self) -> str:
        """The record, as it may be shown."""

    def lease(self) -> str:
        """The lease as it stands; empty for none."""

    def write_lease(self, content: str) -> None:
        """Put another in its place."""


class Lease(Spec):
    """Who holds an experiment.

    Attributes:
        since: Milliseconds since 1970 on the owner's clock.
        beat: Counts its renewals.
    """

    token: str
    owner: str
    process: Process
    command: str
    since: int
    beat: int = 0


class Lock:
    """Held by the driver that runs, mends or tidies an experiment.

    Args:
        register: Where the lease is kept.
        command: What the holder does, for whoever comes second.
        on_loss: Called where somebody has taken it all the same, with who.
    """

    def __init__(self, register: Register, command: str, on_loss: Callable[[str], None] = lambda reason: None) -> None:
        self.register, self.on_loss = register, on_loss
        self.lost = ""
        self._ended = threading.Event()
        self.lease = Lease(
            token=uuid4().hex,
            owner=_user(),
            process=Process.this(),
            command=command[:MOST_LETTERS],
            since=int(time.time() * 1000),
        )

    @contextmanager
    def __call__(self) -> Iterator[Lock]:
        """Hold it within.

        Raises:
            HarnessError: Somebody else does.
        """
        self._take()
        renewing = threading.Thread(target=self._renew, name="lock", daemon=True)
        renewing.start()
        try:
            yield self
        finally:
            self._ended.set()
            renewing.join(RENEW_SECONDS)
            with suppress(HarnessError):
                holder = self._holder()
                if holder is not None and holder.token == self.lease.token:
                    self.register.write_lease("")

    def _take(self) -> None:
        holder = self._holder()
        if holder is not None and not holder.process.gone:
            self._refuse_if_alive(holder)
        started = time.monotonic()
        self.register.write_lease(self.lease.model_dump_json())
        # Another may have written at the same moment: the last one has it. A slow store is slow for both.
        time.sleep(max(SETTLE_SECONDS, 3 * (time.monotonic() - started)))
        self.require()

    def require(self) -> None:
        """Make sure that it is still held.

        Raises:
            HarnessError: Somebody else holds it.
        """
        holder = self._holder()
        if holder is not None and holder.token != self.lease.token:
            raise self._held_by(holder)

    def _refuse_if_alive(self, holder: Lease) -> None:
        """A process of this host is there or not; the lease of another host, container or boot is watched."""
        if holder.process.here:
            raise self._held_by(holder)
        until = time.monotonic() + WATCH_SECONDS
        while time.monotonic() < until:
            time.sleep(RENEW_SECONDS / 5)
            now = self._holder()
            if now is None:
                return
            if now != holder:
                raise self._held_by(now)

    def _held_by(self, holder: Lease) -> HarnessError:
        minutes = max(time.time() - holder.since / 1000, 0) / 60
        age = f"{minutes:.0f} minutes" if minutes >= 2 else f"{60 * minutes:.0f} seconds"
        return HarnessError(
            f"{holder.owner} holds this experiment since {age}: '{holder.command}', {holder.process}",
            where=self.register.place,
            remedy="Wait for it or stop it; it goes free by itself when that process ends.",
        )

    def _holder(self) -> Lease | None:
        try:
            return Lease.model_validate_json(self.register.lease())
        except ValidationError:
            return None

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            # A store that is away keeps everybody out, so nothing is lost by trying again.
            with suppress(HarnessError):
                holder = self._holder()
                if holder is not None and holder.token != self.lease.token:
                    self.lost = self._held_by(holder).what
                    self.on_loss(self.lost)
                    return
                self.lease = self.lease.model_copy(update={"beat": self.lease.beat + 1})
                self.register.write_lease(self.lease.model_dump_json())


def _user() -> str:
    try:
        return getuser()
    except (OSError, KeyError):
        return "somebody"
