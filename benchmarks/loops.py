"""(a) Compare our training loop with two bare PyTorch loops: same network, batch, precision, threads and images.

    python -m benchmarks loops        an hour

The idiomatic loop follows torchvision's reference script: ImageFolder, PIL, torchvision transforms of one image at a
time, and DataLoader. The hand-written loop keeps uint8 images in memory, augments a whole batch at once, uses fused SGD
and does nothing else. Ours is the loop of `harness run`. Once in an epoch it also measures gradient norms and draws the
augmentation. In the first two ratios a value above 1 means that ours is faster.

The hand-written loop has three versions: in channels_last, in contiguous memory format, and in channels_last with the
buffers of each step given back to the system. The first two keep these buffers in glibc, as ours does
(harness/training/device.py). The column compares ours with the best version. The best version of a repeat is the one
that was fastest in all other repeats, because the fastest of three noisy times is below each of their means. The last
two ratios compare versions of the hand-written loop with each other. Below 1, channels_last is faster than contiguous;
above 1, keeping the buffers is faster than giving them back.

All loops train torchvision's own network where torchvision has it; else all of them train ours. A turn is an epoch of a
few seconds: whole batches of the same images.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Iterator
from functools import partial
from math import log
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import (
    estimate_time_ratio,
    format_estimate,
    format_images_per_second,
    measure_in_turns,
    run_competitor,
    track,
)

CASES: dict[str, dict[str, Any]] = {
    "cifar-resnet20 of width 8 at 8": {
        "net": "cifar-resnet20",
        "widths": [8, 16, 32],
        "side": 8,
        "batch": 128,
        "steps": 50,
    },
    "cifar-resnet20 at 8": {"net": "cifar-resnet20", "side": 8, "batch": 128, "steps": 50},
    "cifar-resnet20 at 32": {"net": "cifar-resnet20", "side": 32, "batch": 128, "steps": 8},
    "cifar-resnet56 at 32": {"net": "cifar-resnet56", "side": 32, "batch": 128, "steps": 4},
    "resnet18 at 64": {"net": "resnet18", "side": 64, "batch": 64, "steps": 6},
    "resnet50 at 64": {"net": "resnet50", "side": 64, "batch": 64, "steps": 4},
    "resnet18 at 224": {"net": "resnet18", "side": 224, "batch": 16, "steps": 4},
    "resnet50 at 224": {"net": "resnet50", "side": 224, "batch": 16, "steps": 2},
}
THREADS, REPEATS, TURNS = 2, 5, 3


def write_images(root: Path, side: int, count: int) -> None:
    """Write enlarged scans of real digits as PNG files into class folders.

    Args:
        side: Height and width in pixels.
    """
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number in range(count):
        folder = root / f"digit-{digits.target[number % 1797]}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = (digits.images[number % 1797] * 15).astype(np.uint8)
        Image.fromarray(pixels).convert("RGB").resize((side, side)).save(folder / f"{number:05d}.png")


def build_network(case: dict[str, Any]) -> Any:
    """Return torchvision's network of the case's name, or ours where torchvision has none of that name."""
    import torchvision

    from harness.models import build

    if hasattr(torchvision.models, case["net"]):
        return torchvision.models.get_model(case["net"], num_classes=10)
    return build(load_variant(case), seed=0)


def load_variant(case: dict[str, Any]) -> Any:
    """Return the variant of the case from the catalogue, for ten classes and with the case's widths."""
    from harness.specs import Catalogue

    widths = {"widths": tuple(case["widths"])} if "widths" in case else {}
    return Catalogue.load().get(case["net"]).model_copy(update={"classes": 10, **widths})


def harness_epochs(case: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """Yield (images, seconds) of each epoch of the training loop of `harness run`, without evaluation."""
    from harness.data.description import describe_data
    from harness.specs import DataSpec, Execution, Recipe, Resources, Trial
    from harness.specs.experiment.resolved.memory_format import resolve_memory_format
    from harness.training.loop import TrainingLoop
    from harness.training.trainer import Trainer

    count = case["steps"] * case["batch"]
    folder = DataSpec(name="imagefolder", root=case["root"], image_size=case["side"], test_fraction=0.1)
    _, data = describe_data(folder.model_copy(update={"train_images": count}))
    recipe = Recipe(epochs=10**6, batch=case["batch"], lr=0.05, schedule="constant", augment="crop-flip")
    trial = Trial(variant=load_variant(case), data=data, recipe=recipe, seed=0)
    execution = resolve_memory_format(Execution(evaluate_every=10**6), [trial.variant])
    trainer = Trainer(trial, execution, Resources(cpus=case["threads"]))
    assert trainer.steps == case["steps"]
    results = TrainingLoop([trainer]).run()
    while True:
        began = time.perf_counter()
        next(results)
        yield count, time.perf_counter() - began


def idiomatic_epochs(case: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """Yield (images, seconds) of each epoch of a loop that follows torchvision's reference script."""
    import torch
    from torch.utils.data import DataLoader, Subset
    from torchvision import transforms as T
    from torchvision.datasets import ImageFolder

    torch.set_num_threads(case["threads"])
    side = case["side"]
    augment = [T.RandomCrop(side, padding=4), T.RandomHorizontalFlip()]
    to_normalised = [T.ToTensor(), T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    folder = ImageFolder(case["root"], T.Compose([*augment, *to_normalised]))
    folder = Subset(folder, range(case["steps"] * case["batch"]))
    loader = DataLoader(folder, case["batch"], shuffle=True, num_workers=case.get("workers", 0))
    net = build_network(case).train()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    compute_loss = torch.nn.CrossEntropyLoss()
    while True:
        began = time.perf_counter()
        total = 0.0
        for pixels, labels in loader:
            loss = compute_loss(net(pixels), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()
        yield len(folder), time.perf_counter() - began


def hand_written_epochs(
    case: dict[str, Any], channels_last: bool = True, keep_buffers: bool = True
) -> Iterator[tuple[int, float]]:
    """Yield (images, seconds) of each epoch of the fastest loop that we can write without the harness.

    Args:
        channels_last: Whether to use this memory format instead of the contiguous one.
        keep_buffers: Whether glibc keeps the buffers of a step for the next one.
    """
    import numpy as np
    import torch
    import torch.nn.functional as F
    from PIL import Image

    if keep_buffers:
        # -3 and -1 are M_MMAP_THRESHOLD and M_TRIM_THRESHOLD in malloc.h; both are set to 1 GiB.
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 2**30)
        libc.mallopt(-1, 2**30)
    torch.set_num_threads(case["threads"])
    torch.set_flush_denormal(True)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    files = sorted(Path(case["root"]).glob("*/*.png"))[: case["steps"] * case["batch"]]
    pixels = torch.stack([torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) for file in files])
    labels = torch.tensor([int(file.parent.name[-1]) for file in files])
    mean = 255 * torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
    scale = 1 / (255 * torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1))
    net = build_network(case).train().to(memory_format=layout)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4, fused=True)
    side, batch = case["side"], case["batch"]
    while True:
        began = time.perf_counter()
        total = torch.zeros(())
        for index in torch.randperm(len(labels)).split(batch):
            padded = F.pad(pixels[index], [4] * 4)
            rows = torch.randint(0, 9, (len(index), 1)) + torch.arange(side)
            columns = torch.randint(0, 9, (len(index), 1)) + torch.arange(side)
            columns = torch.where(torch.rand(len(index), 1) < 0.5, columns.flip(1), columns)
            image, channel = torch.arange(len(index)).view(-1, 1, 1, 1), torch.arange(3).view(1, -1, 1, 1)
            cut = padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
            x = cut.to(torch.float32, memory_format=layout).sub_(mean).mul_(scale)
            optimiser.zero_grad(set_to_none=True)
            loss = F.cross_entropy(net(x), labels[index])
            loss.backward()
            optimiser.step()
            total += loss.detach()
        total.item()
        yield len(labels), time.perf_counter() - began


HAND_WRITTEN = {
    "channels_last": hand_written_epochs,
    "contiguous": partial(hand_written_epochs, channels_last=False),
    "given back": partial(hand_written_epochs, keep_buffers=False),
}
COMPETITORS = {"ours": harness_epochs, "idiomatic": idiomatic_epochs, **HAND_WRITTEN}


def select_best_times(competitors: list[list[list[float]]]) -> list[list[float]]:
    """Return, for each repeat, the times of the competitor that is fastest in all other repeats.

    Args:
        competitors: Seconds for one image by competitor, repeat and turn.
    """

    def mean_log_time(competitor: list[list[float]], left_out: int) -> float:
        return fmean(log(median(turns)) for number, turns in enumerate(competitor) if number != left_out)

    return [
        min(competitors, key=lambda competitor: mean_log_time(competitor, repeat))[repeat]
        for repeat in range(len(competitors[0]))
    ]


def measure_case(name: str) -> list[str]:
    """Measure a case in turns and return its row of the table."""
    case = CASES[name]
    with TemporaryDirectory() as root:
        # The harness holds out a tenth for testing, at least one image of each class.
        write_images(Path(root), case["side"], round(case["steps"] * case["batch"] / 0.9) + 120)
        case = {**case, "root": root, "threads": THREADS}
        times = measure_in_turns(__file__, list(COMPETITORS), case, REPEATS, TURNS)
    ratios = (
        estimate_time_ratio(times["idiomatic"], times["ours"]),
        estimate_time_ratio(select_best_times([times[name] for name in HAND_WRITTEN]), times["ours"]),
        estimate_time_ratio(times["channels_last"], times["contiguous"]),
        estimate_time_ratio(times["given back"], times["channels_last"]),
    )
    return [name, str(case["batch"]), *map(format_estimate, ratios), format_images_per_second(times["ours"])]


HEADINGS = (
    "Network at side",
    "Batch",
    "Idiomatic / ours",
    "Best hand-written / ours",
    "channels_last / contiguous",
    "Buffers given back / kept",
    "Our images/s",
)


def measure() -> Iterator[list[str]]:
    """Yield a row for each case."""
    return (measure_case(name) for name in track(CASES, "cases"))


if __name__ == "__main__":
    run_competitor(COMPETITORS)
