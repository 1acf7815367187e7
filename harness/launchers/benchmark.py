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
from itertools import count, groupby
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

from harness.costs.contention import CpuContention
from harness.errors import HarnessError
from harness.launchers.resources import workers_per_node
from harness.processes import machine_memory
from harness.specs import Resources
from harness.specs.measured_cost import CostSetting, MeasuredCost, Repeat

Answer = dict[str, Any]
Together = Callable[[Sequence[dict[str, Any]]], list[Answer]]
"""Answers requests of :mod:`harness.costs.profiler_process`, from processes that take turns."""
TURNS, FEWEST_TURNS = 10, 4
"""Of a phase of a process."""
GUESSED_FLOPS = 5e10
"""Per second of one CPU, within a factor of ten: it decides how many turns there are, and nothing else."""
SHARE = 0.5
"""Of the machine's memory that networks which take turns may fill."""
RUNTIME = 700 * 2**20
"""Bytes that a process takes before it has a network."""


def measure_rows(
    rows: Sequence[MeasuredCost],
    repeats: int,
    seconds: float,
    together: Together,
    said: Callable[[str], None] = lambda line: None,
) -> Iterator[list[MeasuredCost]]:
    """Measure each row ``repeats`` times; rows of one setting take turns, every second round in reverse.

    Args:
        seconds: To time each phase of each repeat for.
        said: Hears of what happens on the way, such as a batch that was halved.

    Yields:
        After each round the rows of one setting, with the repeats that they have so far.

    Raises:
        HarnessError: A variant or a setting that cannot be measured here.
    """
    groups = count(1)
    for _, group in groupby(rows, key=lambda row: row.setting):
        alike = list(group)
        # Rows whose memory was exhausted beside others are tried alone before their batch is halved.
        alone: set[int] = set()
        for number in range(repeats):
            while waiting := [index for index, row in enumerate(alike) if len(row.repeats) <= number]:
                waiting = waiting[::-1] if number % 2 else waiting
                crowd = [index for index in waiting if index not in alone] or waiting[:1]
                crowd = crowd[: _fitting([alike[index] for index in crowd])]
                turns = min(_turns(alike[index], seconds) for index in crowd)
                answers = together([_request(alike[index], seconds, turns) for index in crowd])
                shared = next(groups) if len(crowd) > 1 else None
                for index, answer in zip(crowd, answers, strict=True):
                    if "exhausted" in answer and shared is not None:
                        alone.add(index)
                    else:
                        alike[index] = _taken(alike[index], answer, shared, said)
            yield list(alike)


def _turns(row: MeasuredCost, seconds: float) -> int:
    """Turns of a phase: each holds three steps at least, so heavy steps have fewer; the same for all that alternate."""
    step = 6 * row.macs * row.batch / GUESSED_FLOPS
    return max(FEWEST_TURNS, min(TURNS, int(seconds / (3 * step)))) if step else TURNS


def _fitting(rows: Sequence[MeasuredCost]) -> int:
    """How many of the next rows take turns.

    On a GPU one, whose times are steady and whose memory is the measured one; on a CPU as many as fit the machine's
    memory beside each other.
    """
    if rows[0].setting.device != "cpu":
        return 1
    room = SHARE * machine_memory()
    for number, row in enumerate(rows):
        room -= row.training_bytes + RUNTIME
        if room < 0:
            return max(number, 1)
    return len(rows)


def _request(row: MeasuredCost, seconds: float, turns: int) -> dict[str, Any]:
    setting = row.setting.model_copy(update={"batch": row.batch})
    return {
        "variant": row.variant.model_dump(mode="json"),
        "setting": setting.model_dump(mode="json"),
        "seconds": seconds,
        "turns": turns,
    }


def _taken(row: MeasuredCost, answer: Answer, shared: int | None, said: Callable[[str], None]) -> MeasuredCost:
    """The row with one repeat more; where the memory was exhausted, with half the batch and none."""
    if "repeat" in answer:
        repeat = Repeat.model_validate(answer["repeat"]).model_copy(update={"group": shared})
        return row.model_copy(update={"repeats": (*row.repeats, repeat)})
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
    said(f"{row.label}: {row.batch} images do not fit the memory, {row.batch // 2} are tried.")
    # Repeats of a batch that does not fit any more are no repeats of the next.
    return row.model_copy(update={"repeats": (), "fitted": row.batch // 2})


def run_interleaved(requests: Sequence[dict[str, Any]]) -> list[Answer]:
    """One process on this machine for each request, each at work while the others wait; all gone when this returns."""
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(request)) for request in requests]
        # Each says {} once its imports are done; one that died of them has its answer already.
        answers = [worker.answer() for worker in workers]
        lines = [json.dumps(request) for request in requests]
        machine = CpuContention([worker.process.pid for worker in workers])
        while not all(answers):
            for index, worker in enumerate(workers):
                if not answers[index]:
                    worker.say(lines[index])
                    answers[index] = worker.answer()
                    lines[index] = ""
        busy = machine.seen()
        for answer in answers:
            for phase in ("inference", "training"):
                if busy and answer.get("repeat", {}).get(phase):
                    answer["repeat"][phase]["busy"] = answer["repeat"][phase].get("busy") or busy
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
        code = self.process.wait()
        if code == -signal.SIGKILL:
            return {"exhausted": "the system killed the process, as it does where memory is short"}
        self.complaints.seek(0)
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return {"crash": f"{self.complaints.read().strip()}\nthe process ended with {how}"}


@contextmanager
def _worker(request: dict[str, Any]) -> Iterator[_Worker]:
    with ExitStack() as stack:
        # Nobody reads a pipe while the process is at work, and a full one would stop it.
        complaints = stack.enter_context(TemporaryFile("w+", errors="replace"))
        paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(request["setting"]["threads"]),
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }
        if request["setting"]["compile"]:
            # What an earlier process compiled would be found again, and the first step would cost nothing.
            cache = stack.enter_context(TemporaryDirectory(prefix="depthbench-compiled-"))
            environment |= {"TORCHINDUCTOR_CACHE_DIR": cache, "TRITON_CACHE_DIR": f"{cache}/triton"}
        # -P: a file of the user's directory named as a module of Python's would take its place.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.costs.profiler_process"],
            text=True,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        try:
            yield _Worker(process, complaints)
        finally:
            process.kill()
            assert process.stdin is not None and process.stdout is not None
            # What could not be said is still in the pipe's buffer.
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()
            process.wait()


@contextmanager
def run_on_ray(
    setting: CostSetting,
    address: str | None,
    accelerator: str | None = None,
    wait: float = 0.0,
    said: Callable[[str], None] = lambda line: None,
) -> Iterator[Together]:
    """Processes inside Ray tasks that reserve a whole GPU, or all cores of a node, always on the same node.

    Args:
        accelerator: Kind of GPU, as Ray names it.
        wait: Seconds for which a cluster, or a node that has the device, is waited for; ``said`` hears of it.

    Raises:
        HarnessError: There is no such cluster, or no node that has the device.
    """
    from harness.launchers.ray.cluster_hosts import ClusterRequest
    from harness.launchers.ray.launcher import RayLauncher

    cuda = setting.device != "cpu"
    wanted = "GPU" if cuda else "CPU"
    if setting.device not in ("cpu", "cuda"):
        raise HarnessError(
            f"Ray chooses the GPU, so {setting.device} cannot be asked for",
            where="--device",
            remedy="Use --device cuda, or --launcher inline.",
        )
    kind = accelerator if cuda else None
    resources = Resources(cpus=1 if cuda else setting.threads, gpus=int(cuda), accelerator=kind)
    try:
        launcher = RayLauncher(resources, address, expected=ClusterRequest(seconds=wait), say=said)
    except HarnessError as error:
        if error.where != "resources":
            raise
        remedy = "Use --device cpu." if cuda else "Use fewer --threads."
        raise HarnessError(error.what, where="--launcher ray", remedy=remedy) from error
    try:
        import ray
        from ray.exceptions import RayError
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = [node for node in ray.nodes() if node["Alive"] and workers_per_node(resources, node["Resources"])]
        best = max(nodes, key=lambda node: node["Resources"].get(wanted, 0))
        task = ray.remote(
            num_cpus=0 if cuda else math.floor(best["Resources"]["CPU"]),
            num_gpus=int(cuda),
            max_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(best["NodeID"], soft=False),
        )(run_interleaved)

        def on_node(requests: Sequence[dict[str, Any]]) -> list[Answer]:
            try:
                answers: list[Answer] = ray.get(task.remote(requests))
            except RayError as error:
                raise HarnessError(
                    f"the task on Ray failed: {str(error).strip().rpartition(chr(10))[2]}",
                    where="--launcher ray",
                    remedy="Look whether that node is alive and has depthbench installed, or use --launcher inline.",
                ) from error
            return answers

        yield on_node
    finally:
        launcher.close()
