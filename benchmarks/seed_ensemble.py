"""(c) Compare a seed ensemble with the same seeds one after the other: same images and batch, one thread.

    python -m benchmarks seed_ensemble        half an hour

A seed ensemble is several seeds of one variant, trained as one network. Both sides run the training loop of `harness
run`. Evaluation is left out, because each seed is evaluated by itself on both sides. The turns of a case are an epoch
of one seed and an epoch of an ensemble of 2, 4 and 8 seeds, each in a process of its own. A speed-up above 1 means that
the ensemble is faster. `execution.seeds_together: auto` follows this table
(harness/experiments/planning/seed_grouping.py).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.loops import load_variant, write_images
from benchmarks.turns import (
    estimate_time_ratio,
    format_estimate,
    format_images_per_second,
    measure_in_turns,
    run_competitor,
    track,
)

WIDTH_8, WIDTH_16 = {"net": "cifar-resnet20", "widths": [8, 16, 32]}, {"net": "cifar-resnet20"}
CASES: dict[str, dict[str, Any]] = {
    "cifar-resnet20 of width 8 at 8, batch 128": {**WIDTH_8, "side": 8, "batch": 128, "steps": 8},
    "cifar-resnet20 of width 8 at 8, batch 32": {**WIDTH_8, "side": 8, "batch": 32, "steps": 16},
    "cifar-resnet20 at 8, batch 128": {**WIDTH_16, "side": 8, "batch": 128, "steps": 8},
    "cifar-resnet20 at 8, batch 32": {**WIDTH_16, "side": 8, "batch": 32, "steps": 16},
    "cifar-resnet20 of width 8 at 32, batch 128": {**WIDTH_8, "side": 32, "batch": 128, "steps": 2},
    "cifar-resnet20 at 32, batch 128": {**WIDTH_16, "side": 32, "batch": 128, "steps": 1, "largest": 4},
    "resnet18 at 64, batch 32": {"net": "resnet18", "side": 64, "batch": 32, "steps": 2, "largest": 4},
}
ENSEMBLE_SIZES = (2, 4, 8)
THREADS, REPEATS, TURNS = 1, 3, 4


def train_epochs(case: dict[str, Any], seeds: int) -> Iterator[tuple[int, float]]:
    """Yield (images of all seeds, seconds) of each epoch of one seed, or of an ensemble of several."""
    from harness.data.description import describe_data
    from harness.specs import DataSpec, Execution, Recipe, Resources, Trial
    from harness.specs.experiment.resolved.memory_format import resolve_memory_format
    from harness.training.loop import TrainingLoop
    from harness.training.seed_ensemble import SeedEnsemble
    from harness.training.trainer import Trainer

    count = case["steps"] * case["batch"]
    folder = DataSpec(name="imagefolder", root=case["root"], image_size=case["side"], test_fraction=0.1)
    _, data = describe_data(folder.model_copy(update={"train_images": count}))
    recipe = Recipe(epochs=10**6, batch=case["batch"], lr=0.05, schedule="constant", augment="crop-flip")
    trainers = [
        Trainer(
            Trial(variant=load_variant(case), data=data, recipe=recipe, seed=seed),
            resolve_memory_format(Execution(evaluate_every=10**6), [load_variant(case)]),
            Resources(cpus=case["threads"]),
        )
        for seed in range(seeds)
    ]
    loop = TrainingLoop(trainers) if seeds == 1 else SeedEnsemble(trainers, range(seeds))
    results = loop.run()
    while True:
        began = time.perf_counter()
        next(results)
        yield seeds * count, time.perf_counter() - began


COMPETITORS = {f"{n} seeds": partial(train_epochs, seeds=n) for n in (1, *ENSEMBLE_SIZES)}
HEADINGS = (
    "Network at side",
    "MACs of an image",
    "Images/s, one after the other",
    *(f"{n} seeds, speed-up" for n in ENSEMBLE_SIZES),
    *(f"{n} seeds, images/s" for n in ENSEMBLE_SIZES),
)


def measure_case(name: str) -> list[str]:
    """Measure a case in turns and return its row of the table."""
    from harness.specs.network.layer_plan import plan_layers

    case = CASES[name]
    with TemporaryDirectory() as root:
        # The harness holds out a tenth for testing, at least one image of each class.
        write_images(Path(root), case["side"], round(case["steps"] * case["batch"] / 0.9) + 120)
        names = [f"{n} seeds" for n in (1, *ENSEMBLE_SIZES) if n <= case.get("largest", 8)]
        times = measure_in_turns(__file__, names, {**case, "root": root, "threads": THREADS}, REPEATS, TURNS)
    speeds = {name: format_images_per_second(seconds) for name, seconds in times.items()}
    gains = {name: format_estimate(estimate_time_ratio(times["1 seeds"], seconds)) for name, seconds in times.items()}
    ensembles = [f"{n} seeds" for n in ENSEMBLE_SIZES]
    macs = f"{plan_layers(load_variant(case), case['side']).macs:,}"
    row = [name, macs, speeds["1 seeds"], *(gains.get(ensemble, "–") for ensemble in ensembles)]
    return [*row, *(speeds.get(ensemble, "–") for ensemble in ensembles)]


def measure() -> Iterator[list[str]]:
    """Yield a row for each case."""
    return (measure_case(name) for name in track(CASES, "cases"))


if __name__ == "__main__":
    run_competitor(COMPETITORS)
