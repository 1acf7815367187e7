"""(d) Measure the start-up of the command line, of a plan, and of a run up to its first training step.

    python -m benchmarks startup        about two minutes

Each row times a whole command whose files are in the page cache. For the last row the record exists, as after a first
run.
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
HEADINGS = ("Command", "Seconds", "95 % interval")


def time_command(*arguments: str) -> float:
    """Return the wall time in seconds of one `harness` command."""
    began = time.perf_counter()
    subprocess.run([*HARNESS, *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


def time_to_first_step(home: str, number: int) -> float:
    """Return the seconds from the start of `harness run` on Ray to the first training step.

    The first step began at the end of the first epoch in the trial's history, minus that epoch's clocks.
    """
    from harness.io.storage import Folder
    from harness.tracking.history import read_newest_history

    options = ["--home", home, "--reports", f"{home}/reports"]
    began = time.time()
    # Each call has a seed of its own, because a recorded trial is not run again.
    command = [*RUN[:2], *options, "--seeds", f"{900 + number}-{900 + number}", *RUN[4:]]
    subprocess.run([*HARNESS, *command], check=True, capture_output=True)
    storage = Folder.from_location(Path(home) / "trials")
    first_steps = []
    for trial_id in storage.list_names():
        history = read_newest_history(storage / trial_id, trial_id)
        if history is not None and history.trial.seed == 900 + number:
            epoch = next(epoch for epoch in history.epochs if epoch.epoch == 1)
            clocks = (epoch.metrics["time/train_s"] or 0) + (epoch.metrics["time/eval_s"] or 0)
            first_steps.append(epoch.at / 1000 - clocks)
    return min(first_steps) - began


def measure() -> Iterator[list[str]]:
    """Yield a row for each command."""
    with TemporaryDirectory() as home:
        # This run creates the record and fills the page cache.
        time_to_first_step(home, 0)
        seconds = {
            "`harness --help`": [time_command("--help") for _ in range(REPEATS)],
            "`harness variants`": [time_command("variants") for _ in range(REPEATS)],
            "`harness plan quickstart`": [time_command("plan", "quickstart", "--home", home) for _ in range(REPEATS)],
            "`harness run` on Ray to its first training step": [
                time_to_first_step(home, n) for n in range(1, REPEATS + 1)
            ],
        }
    for command, values in seconds.items():
        estimate = estimate_mean(values)
        yield [command, f"{estimate.mean:.2f}", f"{estimate.low:.2f} to {estimate.high:.2f}"]
