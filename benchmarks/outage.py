"""Measure whether an outage of the MLflow server lengthens an epoch: the server is killed for 90 s while trials run.

    PYTHONPATH=tests python benchmarks/outage.py        writes benchmarks/outage.md; about six minutes

One run on Ray gives both rows: the epochs that ended during the outage, and all others. The time of an epoch is the
time between the ends of two epochs, so it includes everything that delays a trial: checkpoints, reports of results, and
the publication to MLflow.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

import yaml
from faults.sweep import REPOSITORY, Sweep

OUTAGE_SECONDS = 90
EPOCHS = 260
EXPERIMENT = {
    "name": "durability",
    "question": "Does an outage of the server lengthen an epoch?",
    "variants": {
        "family": "cifar-resnet",
        "depth": [20],
        "shortcut": ["none", "identity"],
        "set": {"widths": [8, 16, 32]},
    },
    "data": {"name": "digits"},
    "recipe": {"epochs": EPOCHS, "batch": 128, "lr": 0.05},
    "seeds": [100],
    "execution": {"checkpoint_seconds": 1, "drain_seconds": 60},
}


def measure(work: Path) -> tuple[list[float], list[float]]:
    """Run two trials at a time; return the seconds of the epochs during the outage, and those of all others."""
    sweep = Sweep(work, "outage", server=True)
    assert sweep.server is not None
    (work / "durability.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    sweep.start()
    while not list(sweep.storage.glob("*/checkpoint-*")):
        time.sleep(0.1)
    time.sleep(25)
    killed = time.time()
    sweep.server.stop()
    time.sleep(OUTAGE_SECONDS)
    restarted = time.time()
    sweep.server.start()
    sweep.finish()
    sys.path.insert(0, str(REPOSITORY))
    from harness.io.storage import Folder
    from harness.tracking.history import read_newest_history

    storage = Folder.from_location(sweep.storage)
    during, otherwise = [], []
    for trial_id in storage.list_names():
        history = read_newest_history(storage / trial_id, trial_id)
        assert history is not None and history.is_complete
        ends = [epoch.at / 1000 for epoch in history.epochs if epoch.epoch > 0]
        for start, end in pairwise(ends):
            # Epochs within 20 s of the restart are left out: this machine also has to start the server.
            if killed + 1 < end < restarted:
                during.append(end - start)
            elif end < killed or end > restarted + 20:
                otherwise.append(end - start)
    return during, otherwise


def format_row(name: str, seconds: list[float]) -> str:
    """Return a row of the table: number, median, 95th percentile and longest time of the epochs."""
    return (
        f"| {name} | {len(seconds)} | {median(seconds):.3f} | {quantiles(seconds, n=20)[-1]:.3f} | {max(seconds):.3f} |"
    )


def main() -> None:
    """Measure, write benchmarks/outage.md and print it."""
    with tempfile.TemporaryDirectory() as folder:
        during, otherwise = measure(Path(folder) / "run")
    ratios = {
        "median": median(during) / median(otherwise),
        "95th percentile": quantiles(during, n=20)[-1] / quantiles(otherwise, n=20)[-1],
        "longest": max(during) / max(otherwise),
    }
    revision = subprocess.run(
        ["git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    text = f"""# An outage of the MLflow server

Two trials run at a time on Ray, {EPOCHS} epochs each, with a checkpoint every second. The MLflow server of the record
is killed for {OUTAGE_SECONDS} s and started again. `PYTHONPATH=tests python benchmarks/outage.py` wrote this page at
{revision} on {platform.system()}, Python {platform.python_version()}.

| epochs | number | median s | 95th percentile s | longest s |
|---|---:|---:|---:|---:|
{format_row("during the outage", during)}
{format_row("all others", otherwise)}

Ratios of the first row to the second: {", ".join(f"{name} {ratio:.3f}" for name, ratio in ratios.items())}. The spread
of the second row shows the noise. All epochs were recorded after the server had started again: the run ended with exit
status 0 and every trial FINISHED.
"""
    (REPOSITORY / "benchmarks" / "outage.md").write_text(text)
    print(text)
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
