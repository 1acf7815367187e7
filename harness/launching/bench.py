"""Measuring costs: a process for each repeat of each variant, and never two of them at work at once."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from harness.errors import HarnessError
from harness.specs import Resources
from harness.specs.cost import Cost, Repeat, Setting
from harness.text import shown

Answer = dict[str, Any]
Together = Callable[[Sequence[dict[str, Any]]], list[Answer]]
"""Answers requests of :mod:`harness.costs.measured`, from processes that take turns."""
SHARE = 0.5
"""Of the machine's memory that networks which take turns may fill."""
RUNTIME = 700 * 2**20
"""Bytes that a process takes before it has a network."""


def bench(
    rows: Sequence[Cost],
    repeats: int,
    seconds: float,
    together: Together,
    said: Callable[[str], None] = lambda line: None,
) -> Iterator[list[Cost]]:
    """Measure each row ``repeats`` times; rows of one setting take turns, every second round in reverse.

    Args:
        seconds: To time each phase of each repeat for.
        said: Hears of what happens on the way, such as a batch that was halved.

    Yields:
        After each round the rows of one setting, with the repeats that they have so far.

    Raises:
        HarnessError: A variant or a setting that cannot be measured here.
    """
    for _, group in groupby(rows, key=lambda row: row.setting):
        alike = list(group)
        for number in range(repeats):
            while any(len(row.repeats) <= number for row in alike):
                waiting = [index for index, row in enumerate(alike) if len(row.repeats) <= number]
                waiting = waiting[::-1] if number % 2 else waiting
                fits = _fitting([alike[index] for index in waiting])
                answers = together([_request(alike[index], seconds) for index in waiting[:fits]])
                for index, answer in zip(waiting, answers, strict=False):
                    alike[index] = _taken(alike[index], answer, said)
            yield list(alike)


def _fitting(rows: Sequence[Cost]) -> int:
    """How many of the next rows take turns: on a GPU one, whose times are steady and whose memory is the measured one;
    on a CPU as many as fit the machine's memory beside each other."""
    if rows[0].setting.device != "cpu":
        return 1
    room = SHARE * _memory()
    for number, row in enumerate(rows):
        room -= row.training_bytes + RUNTIME
        if room < 0:
            return max(number, 1)
    return len(rows)


def _memory() -> int:
    """Of this machine, or of the container if that has less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with suppress(OSError, ValueError):
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits)


def _request(row: Cost, seconds: float) -> dict[str, Any]:
    setting = row.setting.model_copy(update={"batch": row.batch})
    return {
        "variant": row.variant.model_dump(mode="json"),
        "setting": setting.model_dump(mode="json"),
        "seconds": seconds,
    }


def _taken(row: Cost, answer: Answer, said: Callable[[str], None]) -> Cost:
    """The row with one repeat more; where the memory was exhausted, with half the batch and none."""
    if "repeat" in answer:
        return row.model_copy(update={"repeats": (*row.repeats, Repeat.model_validate(answer["repeat"]))})
    if "error" in answer:
        what, where, remedy = answer["error"]
        raise HarnessError(what, where=", ".join(filter(None, [row.label, where])), remedy=remedy)
    if "exhausted" not in answer:
        trace = str(answer["crash"]).strip()
        raise HarnessError(
            f"its measurement fails: {trace.rpartition(chr(10))[2]}",
            where=row.label,
            remedy="Look whether the network runs at all on such images: harness.build(...) in Python.",
        )
    if row.batch == 1:
        raise HarnessError(
            f"a single image does not fit the memory: {answer['exhausted']}",
            where=row.label,
            remedy="Use a smaller network, or smaller images (--input).",
        )
    said(f"{shown(row.label)}: {row.batch} images do not fit the memory, {row.batch // 2} are tried.")
    # Repeats of a batch that does not fit any more are no repeats of the next.
    return row.model_copy(update={"repeats": (), "fitted": row.batch // 2})


def together(requests: Sequence[dict[str, Any]]) -> list[Answer]:
    """One process on this machine for each request, each at work while the others wait; all gone when this returns."""
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(request)) for request in requests]
        for worker in workers:
            worker.answer()
        answers: list[Answer] = [{} for _ in workers]
        lines = [json.dumps(request) for request in requests]
        while not all(answers):
            for index, worker in enumerate(workers):
                if not answers[index]:
                    worker.say(lines[index])
                    answers[index] = worker.answer()
                    lines[index] = ""
        return answers


class _Worker:
    """A process that measures, and waits for each turn."""

    def __init__(self, process: subprocess.Popen[str], complaints: IO[str]) -> None:
        self.process, self.complaints = process, complaints

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        # Of one that is dead, its end is its answer.
        with suppress(BrokenPipeError):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def answer(self) -> Answer:
        """Its next line; of a process that died without one, what is known of its death."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            answer: Answer = json.loads(line)
            return answer
        if self.process.wait() == -signal.SIGKILL:
            return {"exhausted": "the system killed the process, as it does where memory is short"}
        self.complaints.seek(0)
        return {"crash": self.complaints.read() or f"the process ended with {self.process.returncode}"}


@contextmanager
def _worker(request: dict[str, Any]) -> Iterator[_Worker]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(request["setting"]["threads"])}
    command = [sys.executable, "-m", "harness.costs.measured"]
    # Into a file: nobody reads a pipe while the process is at work, and a full one would stop it.
    with (
        TemporaryFile("w+", errors="replace") as complaints,
        subprocess.Popen(  # noqa: S603 (our own program)
            command, text=True, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
        ) as process,
    ):
        try:
            yield _Worker(process, complaints)
        finally:
            process.kill()


@contextmanager
def on_ray(setting: Setting, address: str | None) -> Iterator[Together]:
    """Processes inside Ray tasks that reserve a whole GPU, or all cores of a node, always on the same node.

    Raises:
        HarnessError: There is no such cluster, or no node that has the device.
    """
    from harness.launching.ray_tune import RayLauncher

    cuda = setting.device != "cpu"
    wanted = "GPU" if cuda else "CPU"
    launcher = RayLauncher(Resources(cpus=1 if cuda else setting.threads, gpus=int(cuda)), address)
    try:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = [node for node in ray.nodes() if node["Alive"]]
        best = max(nodes, key=lambda node: node["Resources"].get(wanted, 0))
        task = ray.remote(
            num_cpus=0 if cuda else math.floor(best["Resources"]["CPU"]),
            num_gpus=int(cuda),
            max_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(best["NodeID"], soft=False),
        )(together)

        def on_node(requests: Sequence[dict[str, Any]]) -> list[Answer]:
            answers: list[Answer] = ray.get(task.remote(requests))
            return answers

        yield on_node
    finally:
        launcher.close()
