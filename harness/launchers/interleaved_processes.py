"""Profiler processes on this machine that take turns, so that only one of them works at any time."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

from harness.costs.contention import CpuContention
from harness.processes import start_module

ProfilerResult = dict[str, Any]
"""The last line of :mod:`harness.costs.profiler_process`, parsed; ``{}`` for the end of a turn."""


def run_interleaved(requests: Sequence[dict[str, Any]]) -> list[ProfilerResult]:
    """Run one process on this machine for each request, in turns, and return their results.

    Each process works while the others wait. All have ended when this function returns.
    """
    with ExitStack() as stack:
        processes = [stack.enter_context(_start_process(request)) for request in requests]
        # Each writes {} once its imports are done. A process that died during them already has its result.
        results = [process.read_result() for process in processes]
        lines = [json.dumps(request) for request in requests]
        contention = CpuContention([process.pid for process in processes])
        while not all(results):
            for index, process in enumerate(processes):
                if not results[index]:
                    process.send(lines[index])
                    results[index] = process.read_result()
                    lines[index] = ""
        busy = contention.describe()
        for result in results:
            for phase in ("inference", "training"):
                if busy and result.get("repeat", {}).get(phase):
                    result["repeat"][phase]["busy"] = result["repeat"][phase].get("busy") or busy
        return results


class ProfilerProcess:
    """A process that measures one variant, and waits for a line before each of its turns."""

    def __init__(self, process: subprocess.Popen[bytes], stderr: IO[str]) -> None:
        self._process, self._stderr = process, stderr

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def send(self, line: str) -> None:
        """Start a turn: send a line, the first time the request. Sending to a dead process does nothing."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()

    def read_result(self) -> ProfilerResult:
        """Wait for the end of a turn; return the result, ``{}`` before the last turn, or how the process died."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            result: ProfilerResult = json.loads(line)
            return result
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return {"exhausted": "the system killed the process, which it does if memory is short"}
        self._stderr.seek(0)
        end = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return {"crash": f"{self._stderr.read().strip()}\nthe process ended with {end}"}


@contextmanager
def _start_process(request: dict[str, Any]) -> Iterator[ProfilerProcess]:
    """Start the process of a request, and end it at the end of the block."""
    setting = request["setting"]
    with ExitStack() as stack:
        environment = {"OMP_NUM_THREADS": str(setting["threads"]), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        if setting["compile"]:
            # With the cache of an earlier process the first step would not include the compilation.
            cache = stack.enter_context(TemporaryDirectory(prefix="depthbench-compiled-"))
            environment |= {"TORCHINDUCTOR_CACHE_DIR": cache, "TRITON_CACHE_DIR": f"{cache}/triton"}
        stderr = stack.enter_context(TemporaryFile("w+", errors="replace"))
        process = start_module("harness.costs.profiler_process", subprocess.PIPE, stderr, environment)
        yield ProfilerProcess(stack.enter_context(process), stderr)
