"""Programs that take turns: what a machine's drift does to one, it does to all.

A competitor is a generator that yields (images, seconds) after each turn. Each has a process of its own, and never two
are at work: a line on standard input is a turn, its answer a line on standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from math import exp, log
from pathlib import Path
from statistics import median
from typing import Any

from harness.reporting.statistics.intervals import Estimate, estimate_ratio

Competitor = Callable[[dict[str, Any]], Iterator[tuple[int, float]]]
ROOT = Path(__file__).resolve().parents[1]


def track(parts: Iterable[Any], what: str) -> Iterable[Any]:
    """The parts of a benchmark, with a bar that says how many are left."""
    from rich.console import Console
    from rich.progress import track as bar

    return bar(list(parts), what, console=Console(stderr=True))


def serve(competitors: Mapping[str, Competitor]) -> None:
    """The program of a worker: its name and its case come as the first line."""
    request = json.loads(sys.stdin.readline())
    answers, sys.stdout = sys.stdout, sys.stderr
    for turn in competitors[request["name"]](request["case"]):
        print(json.dumps(turn), file=answers, flush=True)
        if not sys.stdin.readline():
            return


def compete(
    script: str, names: list[str], case: dict[str, Any], repeats: int, turns: int
) -> dict[str, list[list[float]]]:
    """Seconds of an image by competitor, repeat and turn; the first turn of each process is a warm-up.

    Args:
        script: File that calls :func:`serve`.
    """
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    environment = {**os.environ, "OMP_NUM_THREADS": str(case["threads"]), "PYTHONPATH": str(ROOT)}
    for number in range(repeats):
        order = names[::-1] if number % 2 else names
        with ExitStack() as stack:
            workers = {}
            for name in order:
                process = stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, script, "worker"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                        env=environment,
                    )
                )
                stack.callback(process.kill)
                process.stdin.write(json.dumps({"name": name, "case": case}) + "\n")
                process.stdin.flush()
                # Its first turn: imports, data, compilation of kernels.
                assert process.stdout.readline(), f"{name} failed"
                workers[name] = process
                found[name].append([])
            for _ in range(turns):
                for name in order:
                    workers[name].stdin.write("\n")
                    workers[name].stdin.flush()
                    images, seconds = json.loads(workers[name].stdout.readline())
                    found[name][-1].append(seconds / images)
    return found


def ratio(a: list[list[float]], b: list[list[float]]) -> Estimate:
    """Time of a to that of b: median over the turns of a repeat, then mean and 95 % t interval over repeats."""
    pairs = [
        exp(median(log(x / y) for x, y in zip(mine, theirs, strict=True))) for mine, theirs in zip(a, b, strict=True)
    ]
    return estimate_ratio(pairs, [1.0] * len(pairs))


def speed(found: list[list[float]]) -> str:
    """Images per second, of the fastest turn."""
    return f"{1 / min(min(turns) for turns in found):,.0f}"


def shown(estimate: Estimate) -> str:
    """``1.23 [1.20, 1.26]``."""
    if estimate.low is None:
        return f"{estimate.mean:.2f}"
    return f"{estimate.mean:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
