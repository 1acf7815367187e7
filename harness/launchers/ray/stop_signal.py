"""The stop signal: a Ray actor that brings a stop request to the workers on every node.

It also keeps the trials of a search that the scheduler has pruned; a trial looks itself up after each epoch. And it
keeps the newest position of each running trial until the driver takes it (:mod:`harness.launchers.ray.step_reports`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from harness.launchers.stop_request import StopRequest

REPLY_SECONDS = 20.0
"""How long the actor may take to reply."""
POLL_SECONDS = 0.2
"""Pause between two looks at the stop request."""


class StopSignal:
    """The actor. Workers wait for the reply of :meth:`wait`, which comes when the run is to stop."""

    def __init__(self) -> None:
        import asyncio

        self._stopped = asyncio.Event()
        self._pruned: set[str] = set()
        self._steps: dict[str, dict[str, Any]] = {}

    async def stop(self) -> None:
        """Let all workers stop."""
        self._stopped.set()

    async def wait(self) -> None:
        """Return when the run is to stop."""
        await self._stopped.wait()

    async def prune(self, trial: str) -> None:
        """Let a trial end after the epoch that it has just reported."""
        self._pruned.add(trial)

    async def is_pruned(self, trial: str) -> bool:
        """Return whether a trial has to end."""
        return trial in self._pruned

    async def report_step(self, trial: str, progress: dict[str, Any]) -> None:
        """Keep the newest position of a running trial."""
        self._steps[trial] = progress

    async def take_steps(self) -> list[dict[str, Any]]:
        """Return the positions that came since the last call."""
        steps, self._steps = self._steps, {}
        return list(steps.values())


@contextmanager
def start_stop_signal(stop: StopRequest) -> Iterator[Any]:
    """Start the actor, yield its handle, and send it the stop request when there is one."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # On the driver's node, because the loss of any other node must not end the actor.
    node = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {"num_cpus": 0, "max_concurrency": 10_000, "max_restarts": -1, "scheduling_strategy": node}
    signal = ray.remote(**options)(StopSignal).remote()
    is_over = threading.Event()
    # A thread, because Ray may hold a lock that it needs here while a signal handler runs.
    thread = threading.Thread(target=_send_stop, args=(stop, signal, is_over), name="stop-signal", daemon=True)
    thread.start()
    try:
        yield signal
    finally:
        is_over.set()
        thread.join(REPLY_SECONDS)
        with suppress(Exception):
            ray.kill(signal)


def _send_stop(stop: StopRequest, signal: Any, is_over: threading.Event) -> None:
    """Send a stop request to the actor until the run is over. An actor that was restarted has forgotten it."""
    import ray

    while not is_over.wait(POLL_SECONDS):
        if stop.is_requested:
            with suppress(Exception):
                ray.get(signal.stop.remote(), timeout=REPLY_SECONDS)


_stop_events: dict[Any, threading.Event] = {}
"""In a worker's process: an event for each actor that the process waits for."""


def stop_event(signal: Any) -> threading.Event:
    """Return an event that is set when the run is to stop. All trials of a worker share one waiting thread."""
    key = signal._actor_id
    if key not in _stop_events:
        _stop_events[key] = threading.Event()
        arguments = (signal, _stop_events[key])
        threading.Thread(target=_wait_for_stop, args=arguments, name="stop-signal", daemon=True).start()
    return _stop_events[key]


def _wait_for_stop(signal: Any, event: threading.Event) -> None:
    """Set the event when the actor replies."""
    import ray

    while not event.is_set():
        try:
            ray.get(signal.wait.remote())
            event.set()
        except Exception:
            # The actor was killed and is being restarted, or the run is over and this process will end.
            time.sleep(1)
