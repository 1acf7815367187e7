"""(c) Measure where the time of a training step goes, for one seed and for an ensemble of four.

    python -m benchmarks operators        a minute

torch's profiler measures the case "cifar-resnet20 of width 8 at 8, batch 128" over three epochs. The table shows the
self time of each operator in one step of one seed. A seed ensemble dispatches fewer operators, and its convolutions
over more channels are faster. Operators such as batch norm move the same bytes on both sides, which limits the gain.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks.loops import write_images
from benchmarks.seed_ensemble import CASES, THREADS, train_epochs

CASE = CASES["cifar-resnet20 of width 8 at 8, batch 128"]
WARM_UP_EPOCHS, MEASURED_EPOCHS, LISTED_OPERATORS = 4, 3, 8
HEADINGS = ("Operator", "One seed (ms)", "Ensemble of 4 (ms of one seed)", "One seed / ensemble")


def measure_self_times(case: dict[str, Any], seeds: int) -> dict[str, float]:
    """Return the milliseconds of each operator in one step of one seed."""
    epochs = train_epochs(case, seeds)
    for _ in range(WARM_UP_EPOCHS):
        next(epochs)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(MEASURED_EPOCHS):
            next(epochs)
    steps = MEASURED_EPOCHS * case["steps"] * seeds
    return {event.key: event.self_cpu_time_total / 1000 / steps for event in profiler.key_averages()}


def measure() -> Iterator[list[str]]:
    """Yield a row for each of the slowest operators, one for all others, and one for the sum."""
    with TemporaryDirectory() as root:
        write_images(Path(root), CASE["side"], round(CASE["steps"] * CASE["batch"] / 0.9) + 120)
        case = {**CASE, "root": root, "threads": THREADS}
        single, ensemble = measure_self_times(case, 1), measure_self_times(case, 4)
    slowest = sorted(single, key=single.__getitem__, reverse=True)[:LISTED_OPERATORS]
    rows = {f"`{name}`": (single[name], ensemble.get(name, 0.0)) for name in slowest}
    rows["others"] = tuple(
        sum(times.values()) - sum(times.get(name, 0.0) for name in slowest) for times in (single, ensemble)
    )
    rows["all"] = (sum(single.values()), sum(ensemble.values()))
    for name, (one, four) in rows.items():
        yield [name, f"{one:.2f}", f"{four:.2f}", f"{one / four:.2f}" if four else "–"]
