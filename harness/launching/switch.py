"""How a stop that the driver was asked for reaches workers on any node: an actor whose one answer they wait for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from harness.launching.stop import Stop

SECONDS = 20.0
"""How long Ray may take to hear of it."""


class _Switch:
    """Tells workers on any node that the run is to stop: they wait for its one answer."""

    def __init__(self) -> None:
        import asyncio

        self.stopped = asyncio.Event()

    async def stop(self) -> None:
        self.stopped.set()

    async def wait(self) -> None:
        await self.stopped.wait()


@contextmanager
def switch_of(stop: Stop) -> Iterator[Any]:
    """A switch on the cluster that is thrown when ``stop`` is."""
    import ray

    switch = ray.remote(num_cpus=0, max_concurrency=10_000)(_Switch).remote()
    over = threading.Event()

    def throw() -> None:
        # In a thread of its own: in a signal's handler, Ray might be holding a lock that it needs here.
        while not over.is_set():
            if stop.wait(0.2):
                with suppress(Exception):
                    ray.get(switch.stop.remote(), timeout=SECONDS)
                return

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


def thrown(switch: Any) -> threading.Event:
    """An event that follows a switch; one waiting thread serves all trials of a worker."""
    import ray

    key = switch._actor_id
    if key not in _watched:
        event = _watched[key] = threading.Event()

        def wait() -> None:
            with suppress(Exception):
                ray.get(switch.wait.remote())
                event.set()

        threading.Thread(target=wait, name="switch", daemon=True).start()
    return _watched[key]
