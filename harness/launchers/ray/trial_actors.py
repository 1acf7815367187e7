"""The workers of a trial as Ray actors, in the trial's own placement group.

Ray Train would reserve their resources outside of that group: trials that hold rank 0 and wait for workers could then
block each other for ever. Ray Train would also bring its own retries and checkpoints. Here rank 0 is an ordinary Tune
trial, which Tune restarts after its death.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

from harness.execution.rendezvous import Rendezvous, connect_store
from harness.execution.trial_group import TrialTask
from harness.execution.trial_workers import RESULT_SECONDS, EndedWorkers, WorkerLost
from harness.execution.worker import WorkerResult, train_as_worker


class TrialActor:
    """A worker of a trial as a Ray actor."""

    def current_node(self) -> tuple[str, str]:
        """Return the id and the address of the actor's node."""
        return current_node()

    def train(self, task: TrialTask, rendezvous: Rendezvous, rank: int) -> WorkerResult:
        """Train as :func:`harness.execution.worker.train_as_worker` does."""
        return train_as_worker(task, rendezvous, rank, current_node()[1])


def current_node() -> tuple[str, str]:
    """Return the id and the address of the Ray node that this process runs on."""
    import ray

    return ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()


@contextmanager
def start_actors(task: TrialTask) -> Iterator[tuple[Any, EndedWorkers]]:
    """Start the workers as Ray actors; yield torch's store and the workers that have ended.

    They take the bundles of the trial's placement group from the second on; rank 0 has the first.
    """
    import ray
    from ray.exceptions import RayActorError
    from ray.util import get_current_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    workers, actors = task.resources.workers, []
    for rank in range(1, workers):
        bundle = PlacementGroupSchedulingStrategy(get_current_placement_group(), rank)
        options = {"num_cpus": task.resources.cpus, "num_gpus": task.resources.gpus, "scheduling_strategy": bundle}
        actors.append(ray.remote(**options)(TrialActor).remote())
    is_over = threading.Event()
    with TemporaryDirectory(prefix="depthbench-rendezvous-") as folder:
        try:
            node, address = current_node()
            nodes = {name for name, _ in ray.get([actor.current_node.remote() for actor in actors])}
            # Workers on one machine need no port, which other hosts could reach.
            rendezvous = Rendezvous(f"{folder}/store", "127.0.0.1") if nodes == {node} else Rendezvous("", address)
            store = connect_store(rendezvous, workers, is_rank0=True, own_address=address)
            if not rendezvous.file:
                rendezvous = replace(rendezvous, port=store.port)
            ranks = {actor.train.remote(task, rendezvous, rank): rank for rank, actor in enumerate(actors, 1)}

            def ended_workers() -> list[tuple[int, WorkerResult]]:
                return _get_results(ranks)

            watch = threading.Thread(target=_exit_with_lost_worker, args=(ended_workers, is_over), daemon=True)
            watch.start()
            yield store, ended_workers
        except RayActorError as error:
            raise WorkerLost from error
        finally:
            is_over.set()
            for actor in actors:
                ray.kill(actor)


def _get_results(ranks: dict[Any, int]) -> list[tuple[int, WorkerResult]]:
    """Return the rank and the result of each worker that has ended, from Ray's references to the results."""
    import ray
    from ray.exceptions import RayActorError, RayTaskError

    results: list[tuple[int, WorkerResult]] = []
    for reference in ray.wait(list(ranks), num_returns=len(ranks), timeout=0)[0]:
        try:
            results.append((ranks[reference], ray.get(reference)))
        except (RayActorError, RayTaskError):
            results.append((ranks[reference], {}))
    return results


def _exit_with_lost_worker(ended_workers: EndedWorkers, is_over: threading.Event) -> None:
    """End this process if a worker is lost and the trial does not end because of it.

    A host that is cut off closes no connection: Ray notices its loss minutes before the other workers do.
    """
    while not is_over.wait(1):
        if any(not result for _, result in ended_workers()) and not is_over.wait(2 * RESULT_SECONDS):
            os._exit(1)
