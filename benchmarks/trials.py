"""(b) Trials through `harness run` on Ray, against their bare loops in two plain processes, side by side.

    python -m benchmarks trials        about half an hour

The bare side pays for an interpreter and torch once per process; it trains and evaluates the same trials with the same
loop, without record, checkpoints, store, plan and report. What is left is the harness: start-up once (a run of one
trial), and the overhead of each further trial, in seconds of the slot that it runs in. Both sides alternate; a ratio
above 1 is what the harness costs. The long case is measured once, so it has no interval.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import yaml

from benchmarks.turns import shown, track
from harness.reporting.statistics.intervals import estimate_mean, estimate_ratio


@dataclass(frozen=True)
class Case:
    """So many trials of so many epochs, measured so often."""

    trials: int
    epochs: int
    repeats: int


SHORT, LONG = 20, 144
CASES = (Case(1, SHORT, 5), Case(12, SHORT, 3), Case(48, SHORT, 2), Case(24, LONG, 1))
PROCESSES = 2
HEADINGS = (
    "Trials",
    "harness run (s)",
    "Bare loops (s)",
    "harness / bare",
    "Overhead of a further trial (s)",
)
EXPERIMENT = {
    "name": "overhead",
    "question": "What does the harness add?",
    "variants": {"family": "cifar-resnet", "depth": 20, "shortcut": "identity", "set": {"widths": [8, 16, 32]}},
    "data": {"name": "digits"},
}
BARE = """
import json, sys
from harness.specs import Execution, Resources, Trial
from harness.training.trial import Training
given = json.load(sys.stdin)
execution = Execution.model_validate(given["execution"])
for text in given["trials"]:
    for _ in Training(Trial.model_validate(text), execution, Resources()).run():
        pass
"""


def write(case: Case, folder: Path) -> None:
    """The experiment's file."""
    recipe = {"epochs": case.epochs, "batch": 128, "lr": 0.05}
    content = {**EXPERIMENT, "recipe": recipe, "seeds": list(range(case.trials))}
    (folder / "overhead.yaml").write_text(yaml.safe_dump(content))


def harness(folder: Path) -> float:
    """Wall time of the whole command, with its report."""
    file = folder / "overhead.yaml"
    began = time.perf_counter()
    command = [sys.executable, "-m", "harness", "run", str(file), "--home", str(folder / "home")]
    subprocess.run([*command, "--reports", str(folder / "reports")], check=True, capture_output=True)
    return time.perf_counter() - began


def bare(folder: Path) -> float:
    """Wall time of as many processes as the harness runs trials at once."""
    from harness.api import load_resolved_experiment

    study = load_resolved_experiment(str(folder / "overhead.yaml"))
    execution = study.execution.model_dump(mode="json")
    trials = [trial.model_dump(mode="json") for trial in study.trials]
    began = time.perf_counter()
    processes = []
    for number in range(min(PROCESSES, len(trials))):
        process = subprocess.Popen([sys.executable, "-c", BARE], stdin=subprocess.PIPE, text=True)
        process.stdin.write(json.dumps({"execution": execution, "trials": trials[number::PROCESSES]}))
        process.stdin.close()
        processes.append(process)
    for process in processes:
        assert process.wait() == 0
    return time.perf_counter() - began


def alternate(case: Case) -> list[tuple[float, float]]:
    """(harness, bare) of each repeat; every other begins with the bare side."""
    pairs = []
    for number in range(case.repeats):
        with TemporaryDirectory() as name:
            write(case, Path(name))
            sides = (harness, bare) if number % 2 == 0 else (bare, harness)
            taken = {side: side(Path(name)) for side in sides}
        pairs.append((taken[harness], taken[bare]))
    return pairs


def measure() -> Iterator[list[str]]:
    """Rows of the table."""
    once = 0.0
    for case in track(CASES, "cases"):
        pairs = alternate(case)
        wholes, loops = zip(*pairs, strict=True)
        beyond = mean([whole - loop for whole, loop in pairs])
        once = once or beyond
        # Two at a time: a second of wall time is two of trials.
        each = PROCESSES * (beyond - once) / max(case.trials - 1, 1)
        more = f"{each:.2f}" if case.trials > 1 else f"start-up: {once:.1f}"
        yield [
            f"{case.trials} of about {mean(loops) * min(PROCESSES, case.trials) / case.trials:.0f} s",
            f"{estimate_mean(wholes).mean:.1f}",
            f"{estimate_mean(loops).mean:.1f}",
            shown(estimate_ratio(wholes, loops)),
            more,
        ]
