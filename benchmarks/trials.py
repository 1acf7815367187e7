"""(b) Trials through `harness run` on Ray, against their bare loops in two plain processes, side by side.

    python -m benchmarks trials        about twelve minutes

The bare side pays for an interpreter and torch once per process and trains the same trials with the same loop, without
evaluation's record, checkpoints, store, plan and report. What is left is the harness: start-up once, and per trial.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks.turns import track

COUNTS = (1, 12, 48)
PROCESSES, EPOCHS = 2, 30
HEADINGS = ("Trials", "harness run (s)", "Bare loops (s)", "Ratio", "Per trial beyond the first (s)")
EXPERIMENT = {
    "name": "overhead",
    "question": "What does the harness add?",
    "variants": {"family": "cifar-resnet", "depth": 20, "shortcut": "identity", "set": {"widths": [8, 16, 32]}},
    "data": {"name": "digits"},
    "recipe": {"epochs": EPOCHS, "batch": 128, "lr": 0.05},
    "execution": {"evaluate_every": EPOCHS},
}
BARE = """
import json, sys
from harness.specs import Execution, Resources, Trial
from harness.training.trial import Training
for text in json.load(sys.stdin):
    for _ in Training(Trial.model_validate(text), Execution(evaluate_every=10**6), Resources()).run():
        pass
"""


def harness(count: int, folder: Path) -> float:
    """Wall time of the whole command, with its report."""
    file = folder / "overhead.yaml"
    file.write_text(yaml.safe_dump({**EXPERIMENT, "seeds": list(range(count))}))
    began = time.perf_counter()
    command = [sys.executable, "-m", "harness", "run", str(file), "--home", str(folder / "home")]
    subprocess.run([*command, "--reports", str(folder / "reports")], check=True, capture_output=True)
    return time.perf_counter() - began


def bare(count: int, folder: Path) -> float:
    """Wall time of as many processes as the harness runs trials at once."""
    from harness.verbs import load_study

    study = load_study(str(folder / "overhead.yaml"))
    trials = [trial.model_dump(mode="json") for trial in study.trials]
    began = time.perf_counter()
    processes = []
    for number in range(min(PROCESSES, count)):
        process = subprocess.Popen([sys.executable, "-c", BARE], stdin=subprocess.PIPE, text=True)
        process.stdin.write(json.dumps(trials[number::PROCESSES]))
        process.stdin.close()
        processes.append(process)
    for process in processes:
        assert process.wait() == 0
    return time.perf_counter() - began


def measure() -> list[list[str]]:
    """Rows of the table."""
    rows = []
    first: tuple[float, float] | None = None
    for count in track(COUNTS, "counts"):
        with TemporaryDirectory() as folder:
            whole, loops = harness(count, Path(folder)), bare(count, Path(folder))
        beyond = "–"
        if first is not None and count > COUNTS[0]:
            beyond = f"{((whole - loops) - (first[0] - first[1])) / (count - COUNTS[0]):.2f}"
        first = first or (whole, loops)
        rows.append([str(count), f"{whole:.1f}", f"{loops:.1f}", f"{whole / loops:.3f}", beyond])
    return rows
