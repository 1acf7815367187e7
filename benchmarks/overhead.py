"""(b) Where the time of a run goes: what its two slots do, and what is at work beside them.

    python -m benchmarks overhead        about ten minutes

The same trials by `harness run` on Ray and as bare loops in two processes, in turns, on a machine of two cores, so that
a second of a slot is one of a core and all rows have one unit. Down to "all" it is what the slots do from the command
to its end, by the trials' own clocks: what contends for the cores, a worker's own threads among it, shows as a longer
training clock. Below stands the processor time of all other processes between the first step and the last.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from benchmarks.trials import PROCESSES, Case, write
from benchmarks.turns import track

CASE = Case(trials=12, epochs=40, repeats=2)
LOOK_SECONDS = 2.0
"""Between two looks at the processes, which take from the same cores."""
HEADINGS = ("What", "harness run (s)", "Bare loops (s)", "Added to the bare loops (%)")
BARE = """
import json, sys, time
from harness.specs import Execution, Resources, Trial
from harness.training.trial import Training
given = json.load(sys.stdin)
execution = Execution.model_validate(given["execution"])
for text in given["trials"]:
    for epoch, metrics in Training(Trial.model_validate(text), execution, Resources()).run():
        if epoch == 1:
            first = time.time(), metrics
    clocks = {name: metrics[f"time/{name}_s"] for name in ("train", "eval")}
    started = first[0] - first[1]["time/train_s"] - first[1]["time/eval_s"]
    print(json.dumps({"started": started, "ended": time.time(), **clocks, "record": 0.0}))
"""
KINDS = {
    "gcs_server": "Ray's record of the cluster (gcs_server)",
    "raylet/raylet": "Ray's scheduler (raylet)",
    "log_monitor": "Ray's log_monitor",
    "dashboard/agent": "Ray's agents",
    "runtime_env/agent": "Ray's agents",
    "dashboard": "Ray's dashboard, its head without pages",
    "monitor.py": "Ray's autoscaler monitor",
    "ray::_Switch": "the switch that stops trials",
    "ray::": "",
    "-m harness run": "the driver: display, Tune, store",
}
"""What is found in a process's command line, and its row; the workers are the slots."""


@dataclass(frozen=True)
class Span:
    """A trial from its first step to its last epoch, in seconds since 1970, and its clocks in seconds."""

    started: float
    ended: float
    train: float
    eval: float
    record: float


@dataclass(frozen=True)
class Taken:
    """What one command took: when it was given and done, its trials, and the processor time beside them."""

    given: float
    done: float
    spans: list[Span]
    beside: dict[str, float]

    def parts(self) -> dict[str, float]:
        """Seconds of all slots, by what they did."""
        starts, ends = (sorted(getattr(span, name) for span in self.spans) for name in ("started", "ended"))
        first, last = starts[:PROCESSES], ends[-PROCESSES:]
        within = sum(span.ended - span.started for span in self.spans)
        clocks = {clock: sum(getattr(span, clock) for span in self.spans) for clock in ("train", "eval", "record")}
        return {
            "before the first step": sum(first) - PROCESSES * self.given,
            "training": clocks["train"],
            "evaluation": clocks["eval"],
            "files of the record": clocks["record"],
            "in a trial, by no clock": within - sum(clocks.values()),
            "from a trial to the next": sum(last) - sum(first) - within,
            "one slot without work, at the end": PROCESSES * last[-1] - sum(last),
            "after the last trial: the report": PROCESSES * (self.done - last[-1]),
        }


def spans(home: Path) -> Iterator[Span]:
    """The trials of a run by the harness, from their own histories."""
    from harness.io.storage import Folder
    from harness.tracking.history import read_newest_history

    storage = Folder.from_location(home / "trials")
    for identity in storage.list_names():
        if (journal := read_newest_history(storage / identity, identity)) is None:
            continue
        first, *_, last = [epoch for epoch in journal.epochs if epoch.epoch > 0]
        took = sum(first.metrics[f"time/{clock}_s"] or 0.0 for clock in ("train", "eval"))
        clocks = [last.metrics[f"time/{clock}_s"] or 0.0 for clock in ("train", "eval", "record")]
        yield Span(first.at / 1000 - took, last.at / 1000, *clocks)


def watched(process: subprocess.Popen[bytes]) -> Iterator[tuple[float, dict[int, tuple[str, float]]]]:
    """(time, (row, processor seconds) of each process) every now and then until the command is done."""
    import psutil

    top = psutil.Process(process.pid)
    while process.poll() is None:
        look: dict[int, tuple[str, float]] = {}
        try:
            everyone = [top, *top.children(recursive=True)]
        except psutil.Error:
            return
        for one in everyone:
            try:
                command, used = " ".join(one.cmdline()), one.cpu_times()
            except psutil.Error:
                continue
            row = next((row for part, row in KINDS.items() if part in command), "others")
            look[one.pid] = (row, used.user + used.system)
        yield time.time(), look
        time.sleep(LOOK_SECONDS)


def harness(folder: Path) -> Taken:
    """`harness run`, with its report."""
    given = time.time()
    places = ["--home", str(folder / "home"), "--reports", str(folder / "reports")]
    command = [sys.executable, "-m", "harness", "run", str(folder / "overhead.yaml"), *places]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    looks = list(watched(process))
    assert process.wait() == 0
    done, trials = time.time(), list(spans(folder / "home"))
    began, ended = min(span.started for span in trials), max(span.ended for span in trials)
    beside: dict[str, float] = defaultdict(float)
    (_, before), *_, (_, after) = [look for look in looks if began <= look[0] <= ended]
    for pid, (row, used) in after.items():
        beside[row] += used - before.get(pid, (row, 0.0))[1]
    beside.pop("", None)
    return Taken(given, done, trials, dict(beside))


def bare(folder: Path) -> Taken:
    """The same trials' loops alone, in as many processes as the harness runs trials at once."""
    from harness.api import load_resolved_experiment

    study = load_resolved_experiment(str(folder / "overhead.yaml"))
    execution = study.execution.model_dump(mode="json")
    trials = [trial.model_dump(mode="json") for trial in study.trials]
    given, processes = time.time(), []
    for number in range(PROCESSES):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen([sys.executable, "-c", BARE], text=True, **pipes)
        process.stdin.write(json.dumps({"execution": execution, "trials": trials[number::PROCESSES]}))
        process.stdin.close()
        processes.append(process)
    found = [Span(**json.loads(line)) for process in processes for line in process.stdout]
    assert all(process.wait() == 0 for process in processes)
    return Taken(given, time.time(), found, {})


def mean(parts: Iterable[dict[str, float]]) -> dict[str, float]:
    """By row; what one of them lacks is nothing."""
    parts = list(parts)
    return {row: fmean(part.get(row, 0.0) for part in parts) for row in dict.fromkeys(row for p in parts for row in p)}


def measure() -> Iterator[list[str]]:
    """Rows of the table."""
    # Importing it puts its copy of psutil on the path.
    import ray  # noqa: F401

    ours, theirs = [], []
    for number in track(range(CASE.repeats), "repeats"):
        with TemporaryDirectory() as name:
            write(CASE, Path(name))
            for side in (harness, bare)[:: 1 if number % 2 == 0 else -1]:
                (ours if side is harness else theirs).append(side(Path(name)))
    mine, loops = mean(taken.parts() for taken in ours), mean(taken.parts() for taken in theirs)
    whole = sum(loops.values())
    for row, seconds in mine.items():
        yield [row, f"{seconds:.1f}", f"{loops[row]:.1f}", f"{100 * (seconds - loops[row]) / whole:+.1f}"]
    total = sum(mine.values())
    yield ["**all**", f"{total:.1f}", f"{whole:.1f}", f"{100 * (total - whole) / whole:+.1f}"]
    beside = mean(taken.beside for taken in ours)
    for row, seconds in sorted(beside.items(), key=lambda item: -item[1]):
        yield [f"beside: {row}", f"{seconds:.1f}", "", f"({100 * seconds / whole:.1f})"]
