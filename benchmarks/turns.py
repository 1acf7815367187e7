"""Measure competitors in turns, so that a slow phase of the machine affects all of them alike.

A competitor is a generator that yields (images, seconds) after each turn. Each competitor runs in a process of its own,
and only one works at a time: a line on its standard input starts a turn, and a line on its standard output ends it.
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
REPOSITORY = Path(__file__).resolve().parents[1]


def track(items: Iterable[Any], description: str) -> Iterable[Any]:
    """Iterate over the items of a benchmark with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import track as track_with_bar

    return track_with_bar(list(items), description, console=Console(stderr=True))


def run_competitor(competitors: Mapping[str, Competitor]) -> None:
    """Run the competitor whose name and case are the first line of standard input, one turn for each further line."""
    request = json.loads(sys.stdin.readline())
    # Whatever the competitor prints goes to standard error, because standard output holds the results.
    results, sys.stdout = sys.stdout, sys.stderr
    for turn in competitors[request["name"]](request["case"]):
        print(json.dumps(turn), file=results, flush=True)
        if not sys.stdin.readline():
            return


def measure_in_turns(
    script: str, names: list[str], case: dict[str, Any], repeats: int, turns: int
) -> dict[str, list[list[float]]]:
    """Return the seconds for one image by competitor, repeat and turn; the first turn of each process is a warm-up.

    Args:
        script: File that calls :func:`run_competitor`.
        names: Names of the competitors; every other repeat takes them in reverse order.
        case: Passed to each competitor; ``threads`` is also its OMP_NUM_THREADS.
    """
    seconds_per_image: dict[str, list[list[float]]] = {name: [] for name in names}
    for number in range(repeats):
        order = names[::-1] if number % 2 else names
        with ExitStack() as stack:
            processes = {name: _start_competitor(stack, script, name, case) for name in order}
            for name in names:
                seconds_per_image[name].append([])
            for _ in range(turns):
                for name in order:
                    processes[name].stdin.write("\n")
                    processes[name].stdin.flush()
                    images, seconds = json.loads(processes[name].stdout.readline())
                    seconds_per_image[name][-1].append(seconds / images)
    return seconds_per_image


def _start_competitor(stack: ExitStack, script: str, name: str, case: dict[str, Any]) -> subprocess.Popen[str]:
    """Start a competitor and wait for the end of its first turn; ``stack`` ends the process."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(case["threads"]), "PYTHONPATH": str(REPOSITORY)}
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
    # The first turn imports modules, loads data and compiles kernels.
    assert process.stdout.readline(), f"the competitor {name} failed in its first turn"
    return process


def estimate_time_ratio(a: list[list[float]], b: list[list[float]]) -> Estimate:
    """Return the time of ``a`` relative to ``b``.

    It is the median over the turns of a repeat, then the mean and the 95 % t interval over the repeats.

    Args:
        a: Seconds by repeat and turn.
        b: Seconds by repeat and turn, of the same shape.
    """
    ratios = [
        exp(median(log(x / y) for x, y in zip(turns_a, turns_b, strict=True)))
        for turns_a, turns_b in zip(a, b, strict=True)
    ]
    return estimate_ratio(ratios, [1.0] * len(ratios))


def format_images_per_second(seconds_per_image: list[list[float]]) -> str:
    """Return the images per second of the fastest turn."""
    return f"{1 / min(min(turns) for turns in seconds_per_image):,.0f}"


def format_estimate(estimate: Estimate) -> str:
    """Return the mean with its interval, such as ``1.23 [1.20, 1.26]``."""
    if estimate.low is None:
        return f"{estimate.mean:.2f}"
    return f"{estimate.mean:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
