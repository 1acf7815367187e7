"""(d) Start-up: the first answer of the command line, a plan, and the first training step of a run.

    python -m benchmarks startup        about two minutes

Each as a whole command on a warm disk; for the last the store exists, as after a first run.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.reporting.statistics.intervals import estimate_mean

REPEATS = 5
HARNESS = [sys.executable, "-m", "harness"]
RUN = ["run", "quickstart", "--seeds", "900-901", "--set", "variants.depth=8", "--set", "contrasts=[]"]
HEADINGS = ("What", "Seconds", "95 % interval")


def seconds(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([*HARNESS, *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


def first_step(home: str, number: int) -> float:
    """From `harness run` on Ray to the first epoch in the trial's own history, less that epoch's clock."""
    from harness.io.storage import Folder
    from harness.tracking.history import read_newest_history

    places = ["--home", home, "--reports", f"{home}/reports"]
    began = time.time()
    # One seed each time: a trial that is recorded is not run again.
    command = [*RUN[:2], *places, "--seeds", f"{900 + number}-{900 + number}", *RUN[4:]]
    subprocess.run([*HARNESS, *command], check=True, capture_output=True)
    storage = Folder.from_location(Path(home) / "trials")
    firsts = []
    for identity in storage.list_names():
        journal = read_newest_history(storage / identity, identity)
        if journal is not None and journal.trial.seed == 900 + number:
            epoch = next(epoch for epoch in journal.epochs if epoch.epoch == 1)
            firsts.append(epoch.at / 1000 - (epoch.metrics["time/train_s"] or 0) - (epoch.metrics["time/eval_s"] or 0))
    return min(firsts) - began


def measure() -> Iterator[list[str]]:
    """Rows of the table."""
    with TemporaryDirectory() as home:
        # The store exists, and the disk is warm.
        first_step(home, 0)
        taken = {
            "`harness --help`": [seconds("--help") for _ in range(REPEATS)],
            "`harness variants`": [seconds("variants") for _ in range(REPEATS)],
            "`harness plan quickstart`": [seconds("plan", "quickstart", "--home", home) for _ in range(REPEATS)],
            "`harness run` on Ray to its first training step": [first_step(home, n) for n in range(1, REPEATS + 1)],
        }
    for what, values in taken.items():
        estimate = estimate_mean(values)
        yield [what, f"{estimate.mean:.2f}", f"{estimate.low:.2f} to {estimate.high:.2f}"]
