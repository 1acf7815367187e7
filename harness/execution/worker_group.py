"""The workers of a trial beside rank 0: started where it runs, told to follow, gone when it ends.

On Ray they are actors in the trial's own placement group. Ray Train's would take their resources outside of it: trials
that hold a driver and wait for workers can block each other for ever, and its own retries and checkpoints would stand
beside ours. Here rank 0 is the ordinary trial, whose death Tune answers as ever, and inline it is the same code.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.execution.worker import Rendezvous, Worker, WorkerResult, meet, node

if TYPE_CHECKING:
    from harness.execution.runner import TrialGroup
    from harness.training.distributed import ProcessGroup

SECONDS = 5.0
"""How long rank 0 waits for what a worker that broke off has to say."""
LOST = re.compile("gloo|nccl|connection (closed|reset|refused)|timed out|broken pipe", re.IGNORECASE)
"""What torch says where a worker is gone; its errors have no class of their own on every backend."""
Answers = Callable[[], list[tuple[int, WorkerResult]]]
"""The workers that have ended, by rank, and their last words: none of one that died."""


class WorkerLost(BaseException):
    """A worker of the trial died, and the trial with it: to be tried again from its checkpoint.

    Not an Exception, which would be the trial's own failure.
    """


@contextmanager
def start_workers(job: TrialGroup) -> Iterator[ProcessGroup]:
    """The team that trains a job, with this process as rank 0; its workers are gone at the end.

    Raises:
        HarnessError: What ended a worker.
        WorkerLost: A worker died.
    """
    from harness.training.distributed import ALONE, process_group

    if job.resources.workers == 1:
        yield ALONE
        return
    from harness.data.loader import Shard

    with ExitStack() as stack:
        store, ended = stack.enter_context(_actors(job) if _on_ray() else _processes(job))
        try:
            with process_group(Shard(0, job.resources.workers), store) as team:
                yield team
        except RuntimeError as error:
            if LOST.search(f"{type(error).__name__} {error}"):
                _explain(ended, job.resources.workers, error)
            raise


def _explain(ended: Answers, workers: int, error: RuntimeError) -> None:
    """Raise what broke off a worker, if one did; the others end of that, and may say so before it does."""
    until = time.monotonic() + SECONDS
    while len(found := ended()) < workers - 1 and not any(map(_telling, found)) and time.monotonic() < until:
        time.sleep(0.1)
    for rank, answer in filter(_telling, found):
        if "error" in answer:
            what, where, remedy = answer["error"]
            raise HarnessError(f"{what} (worker {rank} on {answer['host']})", where=where, remedy=remedy) from error
        raise RuntimeError(f"worker {rank} on {answer['host']}: {answer['crash']}") from error
    if found:
        raise WorkerLost from error


def _telling(ended: tuple[int, WorkerResult]) -> bool:
    """Whether a worker's last words are of itself, and not of another that is gone."""
    return "error" in ended[1] or ("crash" in ended[1] and not LOST.search(str(ended[1]["crash"])))


@contextmanager
def _processes(job: TrialGroup) -> Iterator[tuple[Any, Answers]]:
    """Processes of this machine, for the inline launcher."""
    with ExitStack() as stack:
        place = Rendezvous(f"{stack.enter_context(TemporaryDirectory(prefix='depthbench-meet-'))}/store", "127.0.0.1")
        started = {rank: stack.enter_context(_process(job, place, rank)) for rank in range(1, job.resources.workers)}

        def ended() -> list[tuple[int, WorkerResult]]:
            return [(rank, answer()) for rank, (process, answer) in started.items() if process.poll() is not None]

        yield meet(place, job.resources.workers), ended


@contextmanager
def _process(
    job: TrialGroup, place: Rendezvous, rank: int
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], WorkerResult]]]:
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if job.resources.gpus:
        devices = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        environment["CUDA_VISIBLE_DEVICES"] = devices[rank] if rank < len(devices) else str(rank)
    with TemporaryFile() as words, TemporaryFile() as complaints:
        # A session of its own: Ctrl-C is for rank 0, which decides for all. -P: as in launchers/benchmark.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.execution.worker"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=words,
            stderr=complaints,
            start_new_session=True,
        )
        try:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.write(pickle.dumps((job, place, rank)))
                # Not closed: its end tells the worker that this process is gone.
                process.stdin.flush()

            def answer() -> WorkerResult:
                words.seek(0)
                lines = words.read().decode().splitlines()
                if lines:
                    said: WorkerResult = json.loads(lines[-1])
                    return said
                complaints.seek(0)
                crash = complaints.read().decode(errors="replace").strip()
                # One that a signal ended had no time for words.
                return {} if process.returncode < 0 else {"host": socket.gethostname(), "crash": crash}

            yield process, answer
        finally:
            process.kill()
            with suppress(BrokenPipeError):
                assert process.stdin is not None
                process.stdin.close()
            process.wait()


def _on_ray() -> bool:
    """Whether this process is a worker of Ray's: the driver of an inline run is not."""
    if "ray" not in sys.modules:
        return False
    import ray

    return bool(ray.is_initialized() and ray.get_runtime_context().get_actor_id())


@contextmanager
def _actors(job: TrialGroup) -> Iterator[tuple[Any, Answers]]:
    """Actors in the bundles of the trial's placement group beside its first, which rank 0 has."""
    import ray
    from ray.exceptions import RayActorError, RayTaskError
    from ray.util import get_current_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    actors = []
    for rank in range(1, job.resources.workers):
        strategy = PlacementGroupSchedulingStrategy(get_current_placement_group(), rank)
        options = {"num_cpus": job.resources.cpus, "num_gpus": job.resources.gpus, "scheduling_strategy": strategy}
        actors.append(ray.remote(**options)(Worker).remote())
    over = threading.Event()
    with TemporaryDirectory(prefix="depthbench-meet-") as folder:
        try:
            here = node()
            elsewhere = [name for name, _ in ray.get([actor.node.remote() for actor in actors]) if name != here[0]]
            # Workers of one machine need no port that others could reach.
            place = Rendezvous("", here[1]) if elsewhere else Rendezvous(f"{folder}/store", "127.0.0.1")
            store = meet(place, job.resources.workers, listens=True)
            if elsewhere:
                place = replace(place, port=store.port)
            work = {actor.follow.remote(job, place, rank): rank for rank, actor in enumerate(actors, 1)}

            def ended() -> list[tuple[int, WorkerResult]]:
                found: list[tuple[int, WorkerResult]] = []
                for ref in ray.wait(list(work), num_returns=len(work), timeout=0)[0]:
                    try:
                        found.append((work[ref], ray.get(ref)))
                    except (RayActorError, RayTaskError):
                        found.append((work[ref], {}))
                return found

            def watch() -> None:
                """A worker that is cut off closes no connection: Ray knows of it minutes before the others do."""
                while not over.wait(1):
                    if any(not answer for _, answer in ended()) and not over.wait(2 * SECONDS):
                        os._exit(1)

            threading.Thread(target=watch, name="crew", daemon=True).start()
            yield store, ended
        except RayActorError as error:
            raise WorkerLost from error
        finally:
            over.set()
            for actor in actors:
                ray.kill(actor)
