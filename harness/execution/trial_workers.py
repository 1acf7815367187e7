"""The workers that train one trial together: rank 0 starts the others where it runs, and ends them with the trial.

The launcher decides how the others start: as processes of this machine, or as Ray actors
(:mod:`harness.launchers.ray.trial_actors`). They run the same code in both cases.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.execution.rendezvous import Rendezvous, connect_store
from harness.execution.trial_group import TrialTask
from harness.execution.worker import WorkerResult
from harness.processes import start_module

if TYPE_CHECKING:
    from harness.training.distributed import ProcessGroup

RESULT_SECONDS = 5.0
"""How long rank 0 waits for the result of a worker that failed."""
CONNECTION_LOST = re.compile("gloo|nccl|connection (closed|reset|refused)|timed out|broken pipe", re.IGNORECASE)
"""Words in torch's errors if another worker is gone; not every backend has an error class for that."""
EndedWorkers = Callable[[], list[tuple[int, WorkerResult]]]
"""Returns the rank and the result of each worker that has ended."""
StartWorkers = Callable[[TrialTask], AbstractContextManager[tuple[Any, EndedWorkers]]]
"""Starts the workers of a trial other than rank 0; gives torch's store and the workers that have ended."""


class WorkerLost(BaseException):
    """A worker of the trial died, and the trial with it. The next attempt resumes from the trial's checkpoint.

    Not an Exception, because the trial itself did not fail.
    """


@contextmanager
def start_workers(task: TrialTask, start_others: StartWorkers) -> Iterator[ProcessGroup]:
    """Start the other workers of a trial, yield the group with this process as rank 0, and end the workers.

    Raises:
        HarnessError: A worker failed with this error.
        WorkerLost: A worker died.
    """
    from harness.training.distributed import SINGLE_PROCESS, process_group

    if task.resources.workers == 1:
        yield SINGLE_PROCESS
        return
    from harness.data.loader import Shard

    with ExitStack() as stack:
        store, ended_workers = stack.enter_context(start_others(task))
        try:
            with process_group(Shard(0, task.resources.workers), store) as group:
                yield group
        except RuntimeError as error:
            if CONNECTION_LOST.search(f"{type(error).__name__} {error}"):
                _raise_cause(ended_workers, task.resources.workers, error)
            raise


def _raise_cause(ended_workers: EndedWorkers, workers: int, error: RuntimeError) -> None:
    """Raise the failure of the worker that interrupted the others, if one did.

    The others fail because of it, and their results may arrive before its own.
    """
    deadline = time.monotonic() + RESULT_SECONDS
    results = ended_workers()
    while len(results) < workers - 1 and not any(_is_cause(result) for _, result in results):
        if time.monotonic() >= deadline:
            break
        time.sleep(0.1)
        results = ended_workers()
    for rank, result in results:
        if not _is_cause(result):
            continue
        if "error" in result:
            what, where, remedy = result["error"]
            raise HarnessError(f"{what} (worker {rank} on {result['host']})", where=where, remedy=remedy) from error
        raise RuntimeError(f"worker {rank} on {result['host']}: {result['crash']}") from error
    if results:
        raise WorkerLost from error


def _is_cause(result: WorkerResult) -> bool:
    """Return whether a worker failed by itself, and not because another worker was gone."""
    return "error" in result or ("crash" in result and not CONNECTION_LOST.search(str(result["crash"])))


@contextmanager
def start_processes(task: TrialTask) -> Iterator[tuple[Any, EndedWorkers]]:
    """Start the workers as processes of this machine; yield torch's store and the workers that have ended."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="depthbench-rendezvous-"))
        rendezvous = Rendezvous(f"{folder}/store", "127.0.0.1")
        workers = {
            rank: stack.enter_context(_start_process(task, rendezvous, rank))
            for rank in range(1, task.resources.workers)
        }

        def ended_workers() -> list[tuple[int, WorkerResult]]:
            return [(rank, read_result()) for rank, (process, read_result) in workers.items() if _has_ended(process)]

        yield connect_store(rendezvous, task.resources.workers), ended_workers


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


@contextmanager
def _start_process(
    task: TrialTask, rendezvous: Rendezvous, rank: int
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], WorkerResult]]]:
    """Start one worker; yield its process, and a function that reads its result once it has ended."""
    environment = {}
    if task.resources.gpus:
        devices = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        environment["CUDA_VISIBLE_DEVICES"] = devices[rank] if rank < len(devices) else str(rank)
    with (
        TemporaryFile() as stdout,
        TemporaryFile() as stderr,
        # Ctrl-C must reach rank 0 alone, which decides for all workers.
        start_module("harness.execution.worker", stdout, stderr, environment, own_session=True) as process,
    ):
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(pickle.dumps((task, rendezvous, rank)))
            # Not closed: the worker ends when its standard input does.
            process.stdin.flush()

        def read_result() -> WorkerResult:
            stdout.seek(0)
            lines = stdout.read().splitlines()
            if lines:
                result: WorkerResult = json.loads(lines[-1])
                return result
            stderr.seek(0)
            crash = stderr.read().decode(errors="replace").strip()
            # A negative exit code means that a signal killed the process.
            return {} if process.returncode < 0 else {"host": socket.gethostname(), "crash": crash}

        yield process, read_result
