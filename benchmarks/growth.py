"""(e) Measure plan, record and report for 100, 1,000 and 10,000 trials, and their memory.

    python -m benchmarks growth        half an hour

The functions of the driver and of the trials fill a record with N trials of ten epochs, whose measurements are drawn at
random. `harness plan` runs before and after that, and `harness report` runs on the full record. The record lies in
/dev/shm, in memory, where the machine has it, because this table measures how the work grows and not the disk.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks.turns import track
from harness.settings import Settings

COUNTS = (100, 1000, 10_000)
VARIANTS, EPOCHS = 10, 10
HEADINGS = (
    "Trials",
    "Plan, before and after (s)",
    "Record, a trial (s)",
    "Report (s)",
    "All three, a trial (s)",
    "Largest memory (MiB)",
)
EXPERIMENT = {
    "name": "growth",
    "question": "How does the harness grow?",
    "variants": {"family": "cifar-resnet", "depth": [8, 14, 20, 26, 32], "shortcut": ["none", "identity"]},
    "data": {"name": "digits"},
    "recipe": {"epochs": EPOCHS, "batch": 128, "lr": 0.05},
}
PROVENANCE = {"device": "invented", "software": "invented", "threads": 1, "shared": True, "revision": "invented"}


def invent_histories(file: Path):
    """Yield a history of each trial of the experiment, with measurements drawn at random."""
    import numpy as np

    from harness.api import load_resolved_experiment
    from harness.costs.complexity import count_network
    from harness.tracking.history import Epoch, History
    from harness.tracking.metrics import EPOCH_METRICS

    experiment, rng = load_resolved_experiment(str(file)), np.random.default_rng(0)
    costs = {v.name: count_network(v, experiment.data.size).metrics() for v in experiment.variants}
    for trial in experiment.trials:
        values = rng.gamma(4, 0.25, (EPOCHS + 1, len(EPOCH_METRICS)))
        rows = [dict(zip(EPOCH_METRICS, map(float, row), strict=True)) for row in values]
        epochs = tuple(Epoch(epoch=n, at=1_800_000_000_000 + 1000 * n, metrics=row) for n, row in enumerate(rows))
        yield History(
            id=trial.id,
            trial=trial,
            outcome="finished",
            costs=costs[trial.variant.name],
            provenance=PROVENANCE,
            epochs=epochs,
        )


def record_trials(file: Path, home: Path) -> float:
    """Fill a record; return the seconds for one trial: create its run, publish its history, write the means."""
    from harness.api import load_resolved_experiment
    from harness.experiments.record_sync import average_variants
    from harness.tracking.record import open_checkpoint_folder, open_record

    experiment, histories = load_resolved_experiment(str(file)), list(invent_histories(file))
    record = open_record(Settings(home), experiment.experiment.name)
    began = time.perf_counter()
    record.prepare_runs(experiment, str(open_checkpoint_folder(Settings(home))))
    for history in histories:
        record.publish_history(record.create_trial_run(experiment, history.trial), history)
    record.refresh_runs()
    average_variants(record, experiment)
    return (time.perf_counter() - began) / len(histories)


def measure_command(*arguments: str) -> tuple[float, float]:
    """Return the seconds and the largest resident MiB of one `harness` command."""
    began = time.perf_counter()
    words = [sys.executable, "-m", "harness", *arguments]
    silence = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    process = os.posix_spawn(sys.executable, words, os.environ, file_actions=silence)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"The command failed: harness {' '.join(arguments)}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def measure() -> Iterator[list[str]]:
    """Yield a row for each number of trials."""
    for count in track(COUNTS, "counts"):
        shm = Path("/dev/shm")
        with TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
            home, file = Path(folder) / "home", Path(folder) / "growth.yaml"
            file.write_text(yaml.safe_dump({**EXPERIMENT, "seeds": list(range(count // VARIANTS))}))
            plan = measure_command("plan", str(file), "--home", str(home))
            recorded = record_trials(file, home)
            report = measure_command("report", str(file), "--home", str(home), "--reports", f"{folder}/reports")
            second_plan = measure_command("plan", str(file), "--home", str(home))
        per_trial = recorded + (plan[0] + second_plan[0] + report[0]) / count
        memory = max(plan[1], second_plan[1], report[1])
        plans = f"{plan[0]:.1f}, then {second_plan[0]:.1f}"
        yield [f"{count:,}", plans, f"{recorded:.3f}", f"{report[0]:.1f}", f"{per_trial:.3f}", f"{memory:,.0f}"]
