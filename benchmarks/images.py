"""(a) Compare the data path of the harness with DataLoader and PIL: augmented, normalised batches per second.

    python -m benchmarks images        about three minutes

The harness decodes each image once, keeps the images in memory as uint8, and augments a whole batch at once.
DataLoader decodes and augments one image at a time, with 0, 1 and 2 worker processes that live on between epochs. Both
read the same files at the same sizes with the same augmentation. A ratio above 1 means that the harness is faster.
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

from benchmarks.loops import write_images
from benchmarks.turns import (
    estimate_time_ratio,
    format_estimate,
    format_images_per_second,
    measure_in_turns,
    run_competitor,
    track,
)

CASES = {"32 pixels, batch 128": {"side": 32, "batch": 128}, "64 pixels, batch 64": {"side": 64, "batch": 64},
         "224 pixels, batch 16": {"side": 224, "batch": 16}}  # fmt: skip
STEPS, REPEATS, TURNS = 12, 5, 6
HEADINGS = ("Images", "0 workers / ours", "1 worker / ours", "2 workers / ours", "Our images/s")


def harness_epochs(case: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """Yield (images, seconds) of each epoch of batches by the harness."""
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


def data_loader_epochs(case: dict[str, Any], workers: int) -> Iterator[tuple[int, float]]:
    """Yield (images, seconds) of each epoch of batches by torch's DataLoader with some worker processes."""
    import torch
    from torch.utils.data import DataLoader, Subset
    from torchvision import transforms as T
    from torchvision.datasets import ImageFolder

    torch.set_num_threads(case["threads"])
    augment = [T.RandomCrop(case["side"], padding=4), T.RandomHorizontalFlip()]
    to_normalised = [T.ToTensor(), T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    folder = Subset(ImageFolder(case["root"], T.Compose([*augment, *to_normalised])), range(STEPS * case["batch"]))
    loader = DataLoader(folder, case["batch"], shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    while True:
        began = time.perf_counter()
        count = sum(len(labels) for _, labels in loader)
        yield count, time.perf_counter() - began


COMPETITORS = {
    "ours": harness_epochs,
    "0": lambda case: data_loader_epochs(case, 0),
    "1": lambda case: data_loader_epochs(case, 1),
    "2": lambda case: data_loader_epochs(case, 2),
}


def measure() -> Iterator[list[str]]:
    """Yield a row for each image size."""
    for name, case in track(CASES.items(), "sizes"):
        with TemporaryDirectory() as root:
            write_images(Path(root), case["side"], round(STEPS * case["batch"] / 0.9) + 120)
            case = {**case, "root": root, "threads": 2}
            times = measure_in_turns(__file__, list(COMPETITORS), case, REPEATS, TURNS)
        ratios = [estimate_time_ratio(times[workers], times["ours"]) for workers in "012"]
        yield [name, *map(format_estimate, ratios), format_images_per_second(times["ours"])]


if __name__ == "__main__":
    run_competitor(COMPETITORS)
