"""(c) Where the time of a training step goes, for one seed alone and for four together.

    python -m benchmarks operators        a minute

torch's profiler on the case of which (c) asks most: self time of each operator for the step of one seed, over three
epochs. Training together saves dispatch, and convolutions over more channels are faster; what reads and writes the same
bytes either way, such as batch norm, bounds the gain at this batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks.joint import CASES, THREADS, epochs
from benchmarks.loops import images

CASE = CASES["cifar-resnet20 of width 8 at 8, batch 128"]
WARM, MEASURED, SHOWN = 4, 3, 8
HEADINGS = ("Operator", "Alone (ms)", "4 together (ms of one seed)", "Alone / together")


def self_times(case: dict[str, Any], seeds: int) -> dict[str, float]:
    """Milliseconds of each operator in the step of one seed."""
    rows = epochs(case, seeds)
    for _ in range(WARM):
        next(rows)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(MEASURED):
            next(rows)
    steps = MEASURED * case["steps"] * seeds
    return {event.key: event.self_cpu_time_total / 1000 / steps for event in profiled.key_averages()}


def measure() -> Iterator[list[str]]:
    """Rows of the table: the slowest operators, all others, and their sum."""
    with TemporaryDirectory() as root:
        images(Path(root), CASE["side"], round(CASE["steps"] * CASE["batch"] / 0.9) + 120)
        case = {**CASE, "root": root, "threads": THREADS}
        alone, together = self_times(case, 1), self_times(case, 4)
    slowest = sorted(alone, key=alone.__getitem__, reverse=True)[:SHOWN]
    times = {f"`{name}`": (alone[name], together.get(name, 0.0)) for name in slowest}
    times["others"] = tuple(
        sum(found.values()) - sum(found.get(name, 0.0) for name in slowest) for found in (alone, together)
    )
    times["all"] = (sum(alone.values()), sum(together.values()))
    for name, (before, after) in times.items():
        yield [name, f"{before:.2f}", f"{after:.2f}", f"{before / after:.2f}" if after else "–"]
