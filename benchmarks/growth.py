"""(e) Growth: plan, record, read and report of 100, 1,000 and 10,000 trials, and the memory that each trial costs.

    python -m benchmarks growth        half an hour

A store is filled with N invented trials of ten epochs by the driver's and the trials' own calls; then the commands run
on it. The store lies in memory where the machine has /dev/shm: what is asked is how the work grows, not the disk.
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
    "A trial of all three (s)",
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


def histories(file: Path):
    """An invented history of each trial: what a trial of so many epochs measures, drawn."""
    import numpy as np

    from harness.api import load_resolved_experiment
    from harness.costs.complexity import count_network
    from harness.tracking.history import Epoch, History
    from harness.tracking.metrics import EPOCH_METRICS

    study, rng = load_resolved_experiment(str(file)), np.random.default_rng(0)
    costs = {v.name: count_network(v, study.data.size).metrics() for v in study.variants}
    for trial in study.trials:
        drawn = rng.gamma(4, 0.25, (EPOCHS + 1, len(EPOCH_METRICS)))
        rows = [dict(zip(EPOCH_METRICS, map(float, row), strict=True)) for row in drawn]
        epochs = tuple(Epoch(epoch=n, at=1_800_000_000_000 + 1000 * n, metrics=row) for n, row in enumerate(rows))
        yield History(
            id=trial.id,
            trial=trial,
            outcome="finished",
            costs=costs[trial.variant.name],
            provenance=PROVENANCE,
            epochs=epochs,
        )


def record(file: Path, home: Path) -> float:
    """Seconds of a trial's part in the record: its run is created, its history published, the means drawn."""
    from harness.api import load_resolved_experiment
    from harness.experiments.reconcile import average_variants
    from harness.tracking.record import open_checkpoint_folder, open_record

    study, invented = load_resolved_experiment(str(file)), list(histories(file))
    store = open_record(Settings(home), study.experiment.name)
    began = time.perf_counter()
    store.prepare_runs(study, str(open_checkpoint_folder(Settings(home))))
    for history in invented:
        store.publish_history(store.create_trial_run(study, history.trial), history)
    store.refresh_runs()
    average_variants(store, study)
    return (time.perf_counter() - began) / len(invented)


def command(*arguments: str) -> tuple[float, float]:
    """Seconds and MiB of a whole command."""
    began = time.perf_counter()
    words = [sys.executable, "-m", "harness", *arguments]
    silence = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    process = os.posix_spawn(sys.executable, words, os.environ, file_actions=silence)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"harness {' '.join(arguments)} failed")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def measure() -> Iterator[list[str]]:
    """Rows of the table."""
    for count in track(COUNTS, "counts"):
        shm = Path("/dev/shm")
        with TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
            home, file = Path(folder) / "home", Path(folder) / "growth.yaml"
            file.write_text(yaml.safe_dump({**EXPERIMENT, "seeds": list(range(count // VARIANTS))}))
            plan = command("plan", str(file), "--home", str(home))
            recorded = record(file, home)
            report = command("report", str(file), "--home", str(home), "--reports", f"{folder}/reports")
            again = command("plan", str(file), "--home", str(home))
        whole = recorded + (plan[0] + again[0] + report[0]) / count
        memory = max(plan[1], again[1], report[1])
        plans = f"{plan[0]:.1f}, then {again[0]:.1f}"
        yield [f"{count:,}", plans, f"{recorded:.3f}", f"{report[0]:.1f}", f"{whole:.3f}", f"{memory:,.0f}"]
