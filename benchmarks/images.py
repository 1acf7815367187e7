"""(a2) The data path alone: augmented, normalised batches per second, ours against DataLoader + PIL.

    python -m benchmarks images        about three minutes

ours: decoded once, uint8 in memory, a whole batch augmented at once. DataLoader: an image at a time, with 0, 1 and 2
processes beside, kept alive between epochs. Same files, sizes and augmentation; above 1, ours is faster.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.loops import images
from benchmarks.turns import compete, ratio, serve, shown, speed, track

CASES = {"32 pixels, batch 128": {"side": 32, "batch": 128}, "64 pixels, batch 64": {"side": 64, "batch": 64},
         "224 pixels, batch 16": {"side": 224, "batch": 16}}  # fmt: skip
STEPS, REPEATS, TURNS = 12, 5, 6
HEADINGS = ("Images", "0 workers / ours", "1 worker / ours", "2 workers / ours", "Our images/s")


def ours(case: dict[str, Any]) -> Iterator[tuple[int, float]]:
    import torch

    from harness.data.description import describe_data
    from harness.data.loader import BatchLoader
    from harness.data.splits import load_splits
    from harness.specs import DataSpec, Recipe

    torch.set_num_threads(case["threads"])
    _, data = describe_data(DataSpec(name="imagefolder", root=case["root"], image_size=case["side"], test_fraction=0.1))
    recipe = Recipe(epochs=1, batch=case["batch"], lr=0.05, augment="crop-flip")
    splits = load_splits(data, recipe.augment)
    batches = BatchLoader(splits.train, splits, torch.contiguous_format, torch.device("cpu"))
    for epoch in range(1, 10**6):
        began = time.perf_counter()
        count = sum(len(labels) for _, labels in batches.training_batches(recipe, 0, epoch))
        yield count, time.perf_counter() - began


def by_loader(case: dict[str, Any], workers: int) -> Iterator[tuple[int, float]]:
    import torch
    from torch.utils.data import DataLoader, Subset
    from torchvision import transforms as T
    from torchvision.datasets import ImageFolder

    torch.set_num_threads(case["threads"])
    augment = [T.RandomCrop(case["side"], padding=4), T.RandomHorizontalFlip()]
    usual = [T.ToTensor(), T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    folder = Subset(ImageFolder(case["root"], T.Compose([*augment, *usual])), range(STEPS * case["batch"]))
    loader = DataLoader(folder, case["batch"], shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    while True:
        began = time.perf_counter()
        count = sum(len(labels) for _, labels in loader)
        yield count, time.perf_counter() - began


COMPETITORS = {
    "ours": ours,
    "0": lambda case: by_loader(case, 0),
    "1": lambda case: by_loader(case, 1),
    "2": lambda case: by_loader(case, 2),
}


def measure() -> Iterator[list[str]]:
    """Rows of the table: time of a batch to that of ours."""
    for name, case in track(CASES.items(), "sizes"):
        with TemporaryDirectory() as root:
            images(Path(root), case["side"], round(STEPS * case["batch"] / 0.9) + 120)
            given = {**case, "root": root, "threads": 2}
            found = compete(__file__, list(COMPETITORS), given, REPEATS, TURNS)
        yield [name, *(shown(ratio(found[w], found["ours"])) for w in "012"), speed(found["ours"])]


if __name__ == "__main__":
    serve(COMPETITORS)
