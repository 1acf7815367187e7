"""(b) What keeping the record costs a trial whose epochs take about a second.

    python -m benchmarks record        about five minutes

The same trial by the inline launcher, from the end of its first epoch to the end of its last: with no store and no
checkpoint in between; as it is by default, into MLflow on SQLite, every ten seconds; and about every second. Its clock
is what the trial itself waited for (files; the store has a thread of its own); the ratio of the times of an epoch has
in it what that thread takes of the same core. The three take turns; above 1 is what the record costs.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks.turns import shown, track
from harness.reporting.statistics.intervals import estimate_mean, estimate_ratio

REPEATS, EPOCHS = 3, 30
NEVER = 10**6
SIDES = {
    "nothing": ("none", NEVER),
    "by default, every 10 s": ("", None),
    "every second": ("", 1),
}
HEADINGS = ("What is kept", "An epoch (s)", "The trial's recording clock (%)", "Time of an epoch / with nothing kept")
EXPERIMENT = {
    "name": "record",
    "question": "What does the record cost?",
    "variants": {"family": "cifar-resnet", "depth": 20, "shortcut": "identity"},
    "data": {"name": "digits"},
    "recipe": {"epochs": EPOCHS, "batch": 128, "lr": 0.05},
    "seeds": [0],
}


def trial(side: str) -> tuple[float, float]:
    """Seconds of an epoch, and percent of them that its recording clock shows."""
    from harness.io.storage import Folder
    from harness.tracking.history import read_newest_history

    store, every = SIDES[side]
    with TemporaryDirectory() as name:
        home = Path(name)
        content = EXPERIMENT if every is None else {**EXPERIMENT, "execution": {"checkpoint_seconds": every}}
        (home / "record.yaml").write_text(yaml.safe_dump(content))
        command = [sys.executable, "-m", "harness", "run", str(home / "record.yaml"), "--launcher", "inline"]
        places = ["--home", name, "--reports", f"{name}/reports"]
        places += ["--tracking-uri", store or f"sqlite:///{name}/mlflow.db"]
        subprocess.run([*command, *places], check=True, capture_output=True)
        storage = Folder.from_location(home / "trials")
        (history,) = (
            journal for each in storage.list_names() if (journal := read_newest_history(storage / each, each)) is not None
        )
    first, *others = [epoch for epoch in history.epochs if epoch.epoch > 0]
    seconds = (others[-1].at - first.at) / 1000
    # A clock that goes on from epoch to epoch.
    kept = others[-1].metrics["time/record_s"] - first.metrics["time/record_s"]
    return seconds / len(others), 100 * kept / seconds


def measure() -> Iterator[list[str]]:
    """Rows of the table."""
    found: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
    for number in track(range(REPEATS), "repeats"):
        sides: Sequence[str] = list(SIDES)[:: 1 if number % 2 == 0 else -1]
        for side in sides:
            found[side].append(trial(side))
    base = [seconds for seconds, _ in found["nothing"]]
    for side, measured in found.items():
        epochs, clocks = zip(*measured, strict=True)
        yield [
            side,
            f"{estimate_mean(epochs).mean:.3f}",
            f"{estimate_mean(clocks).mean:.2f}",
            "1" if side == "nothing" else shown(estimate_ratio(epochs, base)),
        ]
