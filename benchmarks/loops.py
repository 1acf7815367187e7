"""(a) Our training loop against two bare PyTorch loops: same network, batch, precision, threads, images.

    python -m benchmarks loops        an hour

idiomatic: ImageFolder, PIL, per-sample torchvision transforms, DataLoader, as torchvision's reference script does it.
hand-written: uint8 images in memory, augmentation of a whole batch at once, fused SGD; nothing else. It is measured in
both memory formats, and with glibc told to keep a step's buffers, as ours does (harness/training/device.py); the column
says how the best of these does, where each repeat's best is the one of the other repeats (the fastest of three noisy
times is below all of their means): above 1, ours is faster. Networks are torchvision's own where it has them, else ours
in all of them. The last two columns compare the hand-written loop with itself: channels_last / contiguous (below 1,
channels_last is the faster one), and buffers given back / kept, both in channels_last. A turn is an epoch of seconds,
whole batches of the same images; ours measures gradient norms and draws the augmentation once in each.
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

from benchmarks.turns import compete, ratio, serve, shown, speed, track

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


def images(root: Path, side: int, count: int) -> None:
    """Real scans of digits, enlarged, as PNG files in class folders."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number in range(count):
        folder = root / f"digit-{digits.target[number % 1797]}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = (digits.images[number % 1797] * 15).astype(np.uint8)
        Image.fromarray(pixels).convert("RGB").resize((side, side)).save(folder / f"{number:05d}.png")


def network(case: dict[str, Any]) -> Any:
    """torchvision's own where it has one of that name."""
    import torchvision

    from harness.models import build

    if hasattr(torchvision.models, case["net"]):
        return torchvision.models.get_model(case["net"], num_classes=10)
    return build(variant(case), seed=0)


def variant(case: dict[str, Any]) -> Any:
    """Its spec."""
    from harness.specs import Catalogue

    widths = {"widths": tuple(case["widths"])} if "widths" in case else {}
    return Catalogue.load().get(case["net"]).model_copy(update={"classes": 10, **widths})


def ours(case: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """The trial that `harness run` trains, evaluation left out."""
    from harness.data.description import describe_data
    from harness.specs import DataSpec, Execution, Recipe, Resources, Trial
    from harness.specs.experiment.resolved_experiment import resolve_memory_format
    from harness.training.loop import TrainingLoop
    from harness.training.trainer import Trainer

    count = case["steps"] * case["batch"]
    folder = DataSpec(name="imagefolder", root=case["root"], image_size=case["side"], test_fraction=0.1)
    _, data = describe_data(folder.model_copy(update={"train_images": count}))
    recipe = Recipe(epochs=10**6, batch=case["batch"], lr=0.05, schedule="constant", augment="crop-flip")
    trial = Trial(variant=variant(case), data=data, recipe=recipe, seed=0)
    execution = resolve_memory_format(Execution(evaluate_every=10**6), [trial.variant])
    training = Trainer(trial, execution, Resources(cpus=case["threads"]))
    assert training.steps == case["steps"]
    results = TrainingLoop([training]).run()
    while True:
        began = time.perf_counter()
        next(results)
        yield count, time.perf_counter() - began


def idiomatic(case: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """As torchvision's reference script: one image after the other."""
    import torch
    from torch.utils.data import DataLoader, Subset
    from torchvision import transforms as T
    from torchvision.datasets import ImageFolder

    torch.set_num_threads(case["threads"])
    side = case["side"]
    augment = [T.RandomCrop(side, padding=4), T.RandomHorizontalFlip()]
    usual = [T.ToTensor(), T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    folder = ImageFolder(case["root"], T.Compose([*augment, *usual]))
    folder = Subset(folder, range(case["steps"] * case["batch"]))
    loader = DataLoader(folder, case["batch"], shuffle=True, num_workers=case.get("workers", 0))
    net = network(case).train()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    loss_of = torch.nn.CrossEntropyLoss()
    while True:
        began = time.perf_counter()
        total = 0.0
        for pixels, labels in loader:
            loss = loss_of(net(pixels), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()
        yield len(folder), time.perf_counter() - began


def hand_written(case: dict[str, Any], channels_last: bool = True, keep: bool = True) -> Iterator[tuple[int, float]]:
    """As fast as we can write it without the harness."""
    import numpy as np
    import torch
    import torch.nn.functional as F
    from PIL import Image

    if keep:
        # M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of malloc.h: 1 GiB.
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 2**30), libc.mallopt(-1, 2**30)
    torch.set_num_threads(case["threads"])
    torch.set_flush_denormal(True)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    files = sorted(Path(case["root"]).glob("*/*.png"))[: case["steps"] * case["batch"]]
    pixels = torch.stack([torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) for file in files])
    labels = torch.tensor([int(file.parent.name[-1]) for file in files])
    mean = 255 * torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
    scale = 1 / (255 * torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1))
    net = network(case).train().to(memory_format=layout)
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
            which, channel = torch.arange(len(index)).view(-1, 1, 1, 1), torch.arange(3).view(1, -1, 1, 1)
            cut = padded[which, channel, rows[:, None, :, None], columns[:, None, None, :]]
            x = cut.to(torch.float32, memory_format=layout).sub_(mean).mul_(scale)
            optimiser.zero_grad(set_to_none=True)
            loss = F.cross_entropy(net(x), labels[index])
            loss.backward()
            optimiser.step()
            total += loss.detach()
        total.item()
        yield len(labels), time.perf_counter() - began


HAND_WRITTEN = {
    "channels_last": hand_written,
    "contiguous": partial(hand_written, channels_last=False),
    "given back": partial(hand_written, keep=False),
}
COMPETITORS = {"ours": ours, "idiomatic": idiomatic, **HAND_WRITTEN}


def best_of(competitors: list[list[list[float]]]) -> list[list[float]]:
    """The times of the fastest competitor, for each repeat as the other repeats tell which one that is."""

    def elsewhere(competitor: list[list[float]], repeat: int) -> float:
        return fmean(log(median(turns)) for number, turns in enumerate(competitor) if number != repeat)

    return [
        min(competitors, key=lambda competitor: elsewhere(competitor, repeat))[repeat]
        for repeat in range(len(competitors[0]))
    ]


def row(name: str) -> list[str]:
    """A row of the table: idiomatic / ours, best hand-written / ours (above 1: ours is faster), images per second."""
    case = CASES[name]
    with TemporaryDirectory() as root:
        # Ours holds a tenth out for testing, of each class one at least.
        images(Path(root), case["side"], round(case["steps"] * case["batch"] / 0.9) + 120)
        found = compete(__file__, list(COMPETITORS), {**case, "root": root, "threads": THREADS}, REPEATS, TURNS)
    mine = found["ours"]
    layouts = ratio(found["channels_last"], found["contiguous"])
    buffers = ratio(found["given back"], found["channels_last"])
    shares = (
        ratio(found["idiomatic"], mine),
        ratio(best_of([found[who] for who in HAND_WRITTEN]), mine),
        layouts,
        buffers,
    )
    return [name, str(case["batch"]), *map(shown, shares), speed(mine)]


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
    """Rows of the table."""
    return (row(name) for name in track(CASES, "cases"))


if __name__ == "__main__":
    serve(COMPETITORS)
