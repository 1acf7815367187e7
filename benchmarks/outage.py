"""Does an MLflow server that is away lengthen an epoch? Real Ray, a real server, killed for 90 s while trials run.

PYTHONPATH=tests python benchmarks/outage.py        writes benchmarks/outage.md; about six minutes

Both numbers of a row come from one run: epochs that ended while the server was away, and all others. The time of
an epoch is that between the ends of two, so whatever holds a trial up is in it: reports, checkpoints, the outbox.
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

AWAY_SECONDS = 90
EPOCHS = 260
EXPERIMENT = {
    "name": "durability",
    "question": "Does a server that is away lengthen an epoch?",
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
    """(seconds of the epochs with the server away, of the others) of two trials side by side."""
    sweep = Sweep(work, "outage", server=True)
    assert sweep.server is not None
    (work / "durability.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    sweep.start()
    while not list(sweep.storage.glob("*/checkpoint-*")):
        time.sleep(0.1)
    time.sleep(25)
    gone = time.time()
    sweep.server.stop()
    time.sleep(AWAY_SECONDS)
    back = time.time()
    sweep.server.start()
    sweep.finish()
    sys.path.insert(0, str(REPOSITORY))
    from harness.io.storage import Folder
    from harness.tracking.history import read_newest_history

    storage = Folder.from_location(sweep.storage)
    away, there = [], []
    for trial in storage.list_names():
        history = read_newest_history(storage / trial, trial)
        assert history is not None and history.is_complete
        ends = [epoch.at / 1000 for epoch in history.epochs if epoch.epoch > 0]
        for start, end in pairwise(ends):
            # The server's own start takes processor time that no outage of a real one would take from here.
            if gone + 1 < end < back:
                away.append(end - start)
            elif end < gone or end > back + 20:
                there.append(end - start)
    return away, there


def row(name: str, seconds: list[float]) -> str:
    """Median, 95th percentile and longest, in seconds."""
    return (
        f"| {name} | {len(seconds)} | {median(seconds):.3f} | {quantiles(seconds, n=20)[-1]:.3f} | {max(seconds):.3f} |"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        away, there = measure(Path(folder) / "run")
    ratios = {
        "median": median(away) / median(there),
        "95th percentile": quantiles(away, n=20)[-1] / quantiles(there, n=20)[-1],
        "longest": max(away) / max(there),
    }
    revision = subprocess.run(
        ["git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    text = f"""# A server that is away

Two trials side by side on Ray, {EPOCHS} epochs each, a checkpoint every second, the record behind an MLflow server
that is killed for {AWAY_SECONDS} s and started again. Written by `PYTHONPATH=tests python benchmarks/outage.py` at
{revision} on {platform.system()}, Python {platform.python_version()}.

| server | epochs | median s | 95th percentile s | longest s |
|---|---:|---:|---:|---:|
{row("away", away)}
{row("there", there)}

Away to there: {", ".join(f"{name} {ratio:.3f}" for name, ratio in ratios.items())}. The spread of the epochs with the
server there is the noise to hold it against. All epochs were recorded after its return: the run ended with exit
status 0 and every trial FINISHED.
"""
    (REPOSITORY / "benchmarks" / "outage.md").write_text(text)
    print(text)
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
