"""(c) K seeds of one variant trained together, against one after the other: same images, batch, one thread.

    python -m benchmarks joint        half an hour

Both sides are what `harness run` trains, evaluation left out, which each seed does by itself on both. A case is drawn
in turns: an epoch alone, then one of 2, 4 and 8 seeds together, each in a process of its own; above 1, together is
faster. From this table follows what `execution.seeds_together: auto` does (harness/experiments/planning/seed_grouping.py).
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

from benchmarks.loops import images, variant
from benchmarks.turns import compete, ratio, serve, shown, speed, track

WIDTH_8, WIDTH_16 = {"net": "cifar-resnet20", "widths": [8, 16, 32]}, {"net": "cifar-resnet20"}
CASES: dict[str, dict[str, Any]] = {
    "cifar-resnet20 of width 8 at 8, batch 128": {**WIDTH_8, "side": 8, "batch": 128, "steps": 8},
    "cifar-resnet20 of width 8 at 8, batch 32": {**WIDTH_8, "side": 8, "batch": 32, "steps": 16},
    "cifar-resnet20 at 8, batch 128": {**WIDTH_16, "side": 8, "batch": 128, "steps": 8},
    "cifar-resnet20 at 8, batch 32": {**WIDTH_16, "side": 8, "batch": 32, "steps": 16},
    "cifar-resnet20 of width 8 at 32, batch 128": {**WIDTH_8, "side": 32, "batch": 128, "steps": 2},
    "cifar-resnet20 at 32, batch 128": {**WIDTH_16, "side": 32, "batch": 128, "steps": 1, "most": 4},
    "resnet18 at 64, batch 32": {"net": "resnet18", "side": 64, "batch": 32, "steps": 2, "most": 4},
}
TOGETHER = (2, 4, 8)
THREADS, REPEATS, TURNS = 1, 3, 4


def epochs(case: dict[str, Any], seeds: int) -> Iterator[tuple[int, float]]:
    """(steps of all seeds, seconds) of each epoch."""
    from harness.data.description import describe_data
    from harness.specs import DataSpec, Execution, Recipe, Resources, Trial
    from harness.specs.experiment.resolved_experiment import resolve_memory_format
    from harness.training.loop import TrainingLoop
    from harness.training.seed_ensemble import SeedEnsemble
    from harness.training.trainer import Trainer

    count = case["steps"] * case["batch"]
    folder = DataSpec(name="imagefolder", root=case["root"], image_size=case["side"], test_fraction=0.1)
    _, data = describe_data(folder.model_copy(update={"train_images": count}))
    recipe = Recipe(epochs=10**6, batch=case["batch"], lr=0.05, schedule="constant", augment="crop-flip")
    trainings = [
        Trainer(
            Trial(variant=variant(case), data=data, recipe=recipe, seed=seed),
            resolve_memory_format(Execution(evaluate_every=10**6), [variant(case)]),
            Resources(cpus=case["threads"]),
        )
        for seed in range(seeds)
    ]
    loop = TrainingLoop(trainings) if seeds == 1 else SeedEnsemble(trainings, range(seeds))
    results = loop.run()
    while True:
        began = time.perf_counter()
        next(results)
        yield seeds * count, time.perf_counter() - began


COMPETITORS = {"alone": partial(epochs, seeds=1)} | {f"{n} together": partial(epochs, seeds=n) for n in TOGETHER}
HEADINGS = (
    "Network at side",
    "MACs of an image",
    "Images/s, one after the other",
    *(f"{n} together, speed-up" for n in TOGETHER),
    *(f"{n} together, images/s" for n in TOGETHER),
)


def row(name: str) -> list[str]:
    """A row of the table; above 1: together is faster."""
    from harness.specs.network.layer_plan import plan_layers

    case = CASES[name]
    with TemporaryDirectory() as root:
        # A tenth is held out for testing, of each class one at least.
        images(Path(root), case["side"], round(case["steps"] * case["batch"] / 0.9) + 120)
        who = ["alone", *(f"{n} together" for n in TOGETHER if n <= case.get("most", 8))]
        found = compete(__file__, who, {**case, "root": root, "threads": THREADS}, REPEATS, TURNS)
    fast = {who: speed(times) for who, times in found.items()}
    gain = {who: shown(ratio(found["alone"], times)) for who, times in found.items()}
    others = [f"{n} together" for n in TOGETHER]
    macs = f"{plan_layers(variant(case), case['side']).macs:,}"
    row = [name, macs, fast["alone"], *(gain.get(who, "–") for who in others)]
    return [*row, *(fast.get(who, "–") for who in others)]


def measure() -> Iterator[list[str]]:
    """Rows of the table."""
    return (row(name) for name in track(CASES, "cases"))


if __name__ == "__main__":
    serve(COMPETITORS)
