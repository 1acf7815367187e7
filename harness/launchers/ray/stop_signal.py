"""How a stop that the driver was asked for reaches workers on any node: an actor whose one answer they wait for.

It also tells a trial of a search whether its scheduler ends it; the trial asks after each epoch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from harness.launchers.stop_request import StopRequest

SECONDS = 20.0
"""How long Ray may take to hear of it."""


class StopSignal:
    """Tells workers on any node that the run is to stop: they wait for its one answer."""

    def __init__(self) -> None:
        import asyncio

        self.stopped = asyncio.Event()
        self.ended: set[str] = set()

    async def stop(self) -> None:
        self.stopped.set()

    async def wait(self) -> None:
        await self.stopped.wait()

    async def cut(self, trial: str) -> None:
        self.ended.add(trial)

    async def is_cut(self, trial: str) -> bool:
        return trial in self.ended


@contextmanager
def send_stop_signal(stop: StopRequest) -> Iterator[Any]:
    """A switch on the cluster that is thrown when ``stop`` is."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Beside the driver: a node that goes must not take the switch with it.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {"num_cpus": 0, "max_concurrency": 10_000, "max_restarts": -1, "scheduling_strategy": here}
    switch = ray.remote(**options)(StopSignal).remote()
    over = threading.Event()

    def throw() -> None:
        # In a thread of its own: in a signal's handler, Ray might be holding a lock that it needs here.
        while not over.wait(0.2):
            if stop.asked:
                # Again and again: one that was killed and started anew knows nothing of it.
                with suppress(Exception):
                    ray.get(switch.stop.remote(), timeout=SECONDS)

    thread = threading.Thread(target=throw, name="switch", daemon=True)
    thread.start()
    try:
        yield switch
    finally:
        over.set()
        thread.join(SECONDS)
        with suppress(Exception):
            ray.kill(switch)


_watched: dict[Any, threading.Event] = {}
"""For a worker's process: the switches that it waits for, and whether they were thrown."""


def stop_event(switch: Any) -> threading.Event:
    """An event that follows a switch; one waiting thread serves all trials of a worker."""
    import ray

    key = switch._actor_id
    if key not in _watched:
        event = _watched[key] = threading.Event()

        def wait() -> None:
            while not event.is_set():
                try:
                    ray.get(switch.wait.remote())
                    event.set()
                except Exception:
                    # It was killed, and is started anew, or the run is over and this process with it.
                    time.sleep(1)

        threading.Thread(target=wait, name="switch", daemon=True).start()
    return _watched[key]
