"""(b) Measure where the time of a run goes: in its two slots, and in all other processes.

    python -m benchmarks overhead        about ten minutes

`harness run` on Ray and bare loops in two processes train the same trials in turns, on a machine of two cores. Each of
the two slots trains one trial at a time. One second of a slot is one second of a core, so all rows have the same unit.

The rows down to "all" divide the time of both slots from the start of the command to its end, as the trials' own clocks
measure it. Processes and threads that use the same cores make the training clock longer. The rows below "all" are the
processor time of all other processes between the first training step and the last.
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

from benchmarks.trials import PROCESSES, Case, write_experiment
from benchmarks.turns import track

CASE = Case(trials=12, epochs=40, repeats=2)
SAMPLING_SECONDS = 2.0
"""Time between two samples of the processes; sampling itself uses the same cores."""
HEADINGS = ("What", "harness run (s)", "Bare loops (s)", "Added to the bare loops (%)")
BARE_LOOP = """
import json, sys, time
from harness.specs import Execution, Resources, Trial
from harness.training.loop import TrainingLoop
from harness.training.trainer import Trainer
request = json.load(sys.stdin)
execution = Execution.model_validate(request["execution"])
for fields in request["trials"]:
    for results in TrainingLoop([Trainer(Trial.model_validate(fields), execution, Resources())]).run():
        for _, result in results:
            if result.epoch == 1:
                first = time.time(), result.metrics
    clocks = {name: result.metrics[f"time/{name}_s"] for name in ("train", "eval")}
    started = first[0] - first[1]["time/train_s"] - first[1]["time/eval_s"]
    print(json.dumps({"started": started, "ended": time.time(), **clocks, "record": 0.0}))
"""
"""Program of a bare process; it prints the fields of :class:`TrialTimes` as a line of JSON for each trial."""
PROCESS_ROWS = {
    "gcs_server": "Ray's record of the cluster (gcs_server)",
    "raylet/raylet": "Ray's scheduler (raylet)",
    "log_monitor": "Ray's log_monitor",
    "dashboard/agent": "Ray's agents",
    "runtime_env/agent": "Ray's agents",
    "dashboard": "Ray's dashboard (its head, without pages)",
    "monitor.py": "Ray's autoscaler monitor",
    "ray::StopSignal": "the stop signal of the trials",
    "ray::": "",
    "-m harness run": "the driver: progress display, Ray Tune, record",
}
"""Part of a process's command line -> its row. The workers have no row, because they are the slots."""


@dataclass(frozen=True)
class TrialTimes:
    """The times of one trial.

    Attributes:
        started: Time of its first step, in seconds since 1970.
        ended: Time of the end of its last epoch, in seconds since 1970.
        train: Seconds on its training clock.
        eval: Seconds on its evaluation clock.
        record: Seconds on its recording clock.
    """

    started: float
    ended: float
    train: float
    eval: float
    record: float


@dataclass(frozen=True)
class RunTimes:
    """The times of one command and of its trials.

    Attributes:
        started: Time of its start, in seconds since 1970.
        ended: Time of its end, in seconds since 1970.
        trials: The times of its trials.
        other_processes: Processor seconds of all processes but the workers, by row.
    """

    started: float
    ended: float
    trials: list[TrialTimes]
    other_processes: dict[str, float]

    def divide_slot_time(self) -> dict[str, float]:
        """Return the seconds of both slots by activity."""
        starts, ends = (sorted(getattr(trial, name) for trial in self.trials) for name in ("started", "ended"))
        first, last = starts[:PROCESSES], ends[-PROCESSES:]
        in_trials = sum(trial.ended - trial.started for trial in self.trials)
        clocks = {clock: sum(getattr(trial, clock) for trial in self.trials) for clock in ("train", "eval", "record")}
        return {
            "before the first step": sum(first) - PROCESSES * self.started,
            "training": clocks["train"],
            "evaluation": clocks["eval"],
            "files of the record": clocks["record"],
            "in a trial, on none of these clocks": in_trials - sum(clocks.values()),
            "from a trial to the next": sum(last) - sum(first) - in_trials,
            "one slot idle at the end": PROCESSES * last[-1] - sum(last),
            "after the last trial: the report": PROCESSES * (self.ended - last[-1]),
        }


def read_trial_times(home: Path) -> Iterator[TrialTimes]:
    """Yield the times of the trials of `harness run`, from their histories."""
    from harness.io.storage import Folder
    from harness.tracking.history import read_newest_history

    storage = Folder.from_location(home / "trials")
    for trial_id in storage.list_names():
        if (history := read_newest_history(storage / trial_id, trial_id)) is None:
            continue
        first, *_, last = [epoch for epoch in history.epochs if epoch.epoch > 0]
        first_seconds = sum(first.metrics[f"time/{clock}_s"] or 0.0 for clock in ("train", "eval"))
        clocks = [last.metrics[f"time/{clock}_s"] or 0.0 for clock in ("train", "eval", "record")]
        yield TrialTimes(first.at / 1000 - first_seconds, last.at / 1000, *clocks)


def sample_processes(process: subprocess.Popen[bytes]) -> Iterator[tuple[float, dict[int, tuple[str, float]]]]:
    """Yield (time, {process id: (row, processor seconds)}) regularly until the command ends."""
    import psutil

    top = psutil.Process(process.pid)
    while process.poll() is None:
        sample: dict[int, tuple[str, float]] = {}
        try:
            processes = [top, *top.children(recursive=True)]
        except psutil.Error:
            return
        for running in processes:
            try:
                command, used = " ".join(running.cmdline()), running.cpu_times()
            except psutil.Error:
                continue
            row = next((row for part, row in PROCESS_ROWS.items() if part in command), "others")
            sample[running.pid] = (row, used.user + used.system)
        yield time.time(), sample
        time.sleep(SAMPLING_SECONDS)


def run_harness(folder: Path) -> RunTimes:
    """Return the times of `harness run`, with its report."""
    started = time.time()
    options = ["--home", str(folder / "home"), "--reports", str(folder / "reports")]
    command = [sys.executable, "-m", "harness", "run", str(folder / "overhead.yaml"), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    samples = list(sample_processes(process))
    assert process.wait() == 0
    ended, trials = time.time(), list(read_trial_times(folder / "home"))
    first_step, last_step = min(trial.started for trial in trials), max(trial.ended for trial in trials)
    other_processes: dict[str, float] = defaultdict(float)
    (_, before), *_, (_, after) = [sample for sample in samples if first_step <= sample[0] <= last_step]
    for pid, (row, used) in after.items():
        other_processes[row] += used - before.get(pid, (row, 0.0))[1]
    other_processes.pop("", None)
    return RunTimes(started, ended, trials, dict(other_processes))


def run_bare_loops(folder: Path) -> RunTimes:
    """Return the times of the same trials' bare loops, in as many processes as the harness runs trials at a time."""
    from harness.api import load_resolved_experiment

    experiment = load_resolved_experiment(str(folder / "overhead.yaml"))
    execution = experiment.execution.model_dump(mode="json")
    trials = [trial.model_dump(mode="json") for trial in experiment.trials]
    started, processes = time.time(), []
    for number in range(PROCESSES):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen([sys.executable, "-c", BARE_LOOP], text=True, **pipes)
        process.stdin.write(json.dumps({"execution": execution, "trials": trials[number::PROCESSES]}))
        process.stdin.close()
        processes.append(process)
    times = [TrialTimes(**json.loads(line)) for process in processes for line in process.stdout]
    assert all(process.wait() == 0 for process in processes)
    return RunTimes(started, time.time(), times, {})


def average_rows(repeats: Iterable[dict[str, float]]) -> dict[str, float]:
    """Return the mean over the repeats by row; a row that a repeat lacks counts as 0 there."""
    repeats = list(repeats)
    rows = dict.fromkeys(row for repeat in repeats for row in repeat)
    return {row: fmean(repeat.get(row, 0.0) for repeat in repeats) for row in rows}


def measure() -> Iterator[list[str]]:
    """Yield a row for each activity of the slots, one for their sum, and one for each kind of other process."""
    # The import of ray puts its copy of psutil on the path.
    import ray  # noqa: F401

    times: dict[str, list[RunTimes]] = {"harness": [], "bare": []}
    sides = {"harness": run_harness, "bare": run_bare_loops}
    for number in track(range(CASE.repeats), "repeats"):
        with TemporaryDirectory() as name:
            write_experiment(CASE, Path(name))
            for side in list(sides)[:: 1 if number % 2 == 0 else -1]:
                times[side].append(sides[side](Path(name)))
    run = average_rows(repeat.divide_slot_time() for repeat in times["harness"])
    loops = average_rows(repeat.divide_slot_time() for repeat in times["bare"])
    run_sum, loops_sum = sum(run.values()), sum(loops.values())
    for row, seconds in run.items():
        yield [row, f"{seconds:.1f}", f"{loops[row]:.1f}", f"{100 * (seconds - loops[row]) / loops_sum:+.1f}"]
    yield ["**all**", f"{run_sum:.1f}", f"{loops_sum:.1f}", f"{100 * (run_sum - loops_sum) / loops_sum:+.1f}"]
    other_processes = average_rows(repeat.other_processes for repeat in times["harness"])
    for row, seconds in sorted(other_processes.items(), key=lambda item: -item[1]):
        yield [f"other process: {row}", f"{seconds:.1f}", "", f"({100 * seconds / loops_sum:.1f})"]
