"""(b) Compare trials by `harness run` on Ray with their bare training loops in two plain processes.

    python -m benchmarks trials        about half an hour

Each bare process starts Python and torch once. It trains and evaluates the same trials with the same loop, but without
plan, checkpoints, record and report. The difference is the cost of the harness: the start-up, which a run of one trial
shows, and the overhead of each further trial. Two trials run at a time, each in a slot of its own; the overhead is in
seconds of one slot. Both sides take turns. A ratio of 1.17 means that `harness run` takes 17 % longer. The case with
the longest trials is measured once, so it has no interval.
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

from benchmarks.turns import format_estimate, track
from harness.reporting.statistics.intervals import estimate_mean, estimate_ratio


@dataclass(frozen=True)
class Case:
    """A number of trials, the epochs of each, and how often both sides are measured."""

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
BARE_LOOP = """
import json, sys
from harness.specs import Execution, Resources, Trial
from harness.training.loop import TrainingLoop
from harness.training.trainer import Trainer
request = json.load(sys.stdin)
execution = Execution.model_validate(request["execution"])
for fields in request["trials"]:
    for _ in TrainingLoop([Trainer(Trial.model_validate(fields), execution, Resources())]).run():
        pass
"""
"""Program of a bare process; standard input holds the trials and the execution settings as JSON."""


def write_experiment(case: Case, folder: Path) -> None:
    """Write ``overhead.yaml``, the experiment with the trials of a case."""
    recipe = {"epochs": case.epochs, "batch": 128, "lr": 0.05}
    content = {**EXPERIMENT, "recipe": recipe, "seeds": list(range(case.trials))}
    (folder / "overhead.yaml").write_text(yaml.safe_dump(content))


def time_harness(folder: Path) -> float:
    """Return the wall time in seconds of the whole command `harness run`, with its report."""
    file = folder / "overhead.yaml"
    began = time.perf_counter()
    command = [sys.executable, "-m", "harness", "run", str(file), "--home", str(folder / "home")]
    subprocess.run([*command, "--reports", str(folder / "reports")], check=True, capture_output=True)
    return time.perf_counter() - began


def time_bare_loops(folder: Path) -> float:
    """Return the wall time in seconds of as many bare processes as the harness runs trials at a time."""
    from harness.api import load_resolved_experiment

    experiment = load_resolved_experiment(str(folder / "overhead.yaml"))
    execution = experiment.execution.model_dump(mode="json")
    trials = [trial.model_dump(mode="json") for trial in experiment.trials]
    began = time.perf_counter()
    processes = []
    for number in range(min(PROCESSES, len(trials))):
        process = subprocess.Popen([sys.executable, "-c", BARE_LOOP], stdin=subprocess.PIPE, text=True)
        process.stdin.write(json.dumps({"execution": execution, "trials": trials[number::PROCESSES]}))
        process.stdin.close()
        processes.append(process)
    for process in processes:
        assert process.wait() == 0
    return time.perf_counter() - began


def time_in_turns(case: Case) -> list[tuple[float, float]]:
    """Return (seconds of the harness, seconds of the bare loops) of each repeat; every other one begins bare."""
    pairs = []
    for number in range(case.repeats):
        with TemporaryDirectory() as name:
            write_experiment(case, Path(name))
            sides = (time_harness, time_bare_loops)[:: 1 if number % 2 == 0 else -1]
            seconds = {side: side(Path(name)) for side in sides}
        pairs.append((seconds[time_harness], seconds[time_bare_loops]))
    return pairs


def measure() -> Iterator[list[str]]:
    """Yield a row for each case."""
    start_up = 0.0
    for case in track(CASES, "cases"):
        pairs = time_in_turns(case)
        runs, loops = zip(*pairs, strict=True)
        overhead = mean([run - loop for run, loop in pairs])
        # The first case has one trial, so that its overhead is the start-up.
        start_up = start_up or overhead
        # Two trials run at a time, so that a second of wall time is two seconds of slots.
        per_trial = PROCESSES * (overhead - start_up) / max(case.trials - 1, 1)
        overhead_cell = f"{per_trial:.2f}" if case.trials > 1 else f"start-up: {start_up:.1f}"
        yield [
            f"{case.trials} of about {mean(loops) * min(PROCESSES, case.trials) / case.trials:.0f} s",
            f"{estimate_mean(runs).mean:.1f}",
            f"{estimate_mean(loops).mean:.1f}",
            format_estimate(estimate_ratio(runs, loops)),
            overhead_cell,
        ]
