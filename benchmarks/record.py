"""(b) Measure what the record costs a trial whose epochs take about a second.

    python -m benchmarks record        about five minutes

The inline launcher runs the same trial in three ways, in turns: without MLflow and checkpoints; by default, with MLflow
on SQLite and a checkpoint every ten seconds; and with a checkpoint about every second. The time runs from the end of
the first epoch to the end of the last.

The recording clock measures how long the trial itself waited for its files. A thread of its own publishes to MLflow and
uses the same core, so its work shows only in the ratio. A ratio of 1.10 means that recording makes an epoch 10 %
longer.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks.turns import format_estimate, track
from harness.reporting.statistics.intervals import estimate_mean, estimate_ratio

REPEATS, EPOCHS = 3, 30
NEVER = 10**6
"""More seconds between two checkpoints than any trial takes."""
RECORDS: dict[str, tuple[str, int | None]] = {
    "nothing": ("none", NEVER),
    "by default, every 10 s": ("", None),
    "every second": ("", 1),
}
"""Row -> (tracking URI, or empty for MLflow on SQLite; seconds between checkpoints, or None for the default)."""
HEADINGS = ("What is kept", "An epoch (s)", "The trial's recording clock (%)", "Time of an epoch / with nothing kept")
EXPERIMENT = {
    "name": "record",
    "question": "What does the record cost?",
    "variants": {"family": "cifar-resnet", "depth": 20, "shortcut": "identity"},
    "data": {"name": "digits"},
    "recipe": {"epochs": EPOCHS, "batch": 128, "lr": 0.05},
    "seeds": [0],
}


def measure_trial(kept: str) -> tuple[float, float]:
    """Run the trial once; return the seconds of an epoch and the percentage of them on its recording clock.

    Args:
        kept: A key of ``RECORDS``.
    """
    from harness.io.storage import Folder
    from harness.tracking.history import read_newest_history

    tracking_uri, interval = RECORDS[kept]
    with TemporaryDirectory() as name:
        home = Path(name)
        content = EXPERIMENT if interval is None else {**EXPERIMENT, "execution": {"checkpoint_seconds": interval}}
        (home / "record.yaml").write_text(yaml.safe_dump(content))
        command = [sys.executable, "-m", "harness", "run", str(home / "record.yaml"), "--launcher", "inline"]
        options = ["--home", name, "--reports", f"{name}/reports"]
        options += ["--tracking-uri", tracking_uri or f"sqlite:///{name}/mlflow.db"]
        subprocess.run([*command, *options], check=True, capture_output=True)
        storage = Folder.from_location(home / "trials")
        histories = [read_newest_history(storage / trial_id, trial_id) for trial_id in storage.list_names()]
        (history,) = (history for history in histories if history is not None)
    first, *others = [epoch for epoch in history.epochs if epoch.epoch > 0]
    seconds = (others[-1].at - first.at) / 1000
    # The clock is summed over the epochs.
    recording = others[-1].metrics["time/record_s"] - first.metrics["time/record_s"]
    return seconds / len(others), 100 * recording / seconds


def measure() -> Iterator[list[str]]:
    """Yield a row for each way to keep the record."""
    measured: dict[str, list[tuple[float, float]]] = {kept: [] for kept in RECORDS}
    for number in track(range(REPEATS), "repeats"):
        for kept in list(RECORDS)[:: 1 if number % 2 == 0 else -1]:
            measured[kept].append(measure_trial(kept))
    base = [seconds for seconds, _ in measured["nothing"]]
    for kept, repeats in measured.items():
        epochs, clocks = zip(*repeats, strict=True)
        yield [
            kept,
            f"{estimate_mean(epochs).mean:.3f}",
            f"{estimate_mean(clocks).mean:.2f}",
            "1" if kept == "nothing" else format_estimate(estimate_ratio(epochs, base)),
        ]
