"""A variant with given weights held against a folder of images."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.specs import Catalogue

if TYPE_CHECKING:
    from harness.training.evaluation import Counted

IMAGENET_VAL = (1000, 50_000)
"""Classes and images of the data that published accuracies are of."""


@dataclass(frozen=True)
class Evaluation:
    """What came of it.

    Attributes:
        top1: Images whose label is the likeliest class, and ``top5`` among the five likeliest.
        interval: Exact binomial 95 % interval of the top-1 accuracy in percent, over images.
        published: Of torchvision's own weights, top-1 and top-5 in percent; None for others, or for other data.
    """

    variant: str
    weights: str
    images: int
    classes: int
    top1: int
    top5: int
    interval: tuple[float, float]
    transform: str
    published: tuple[float, float] | None = None


def evaluate(
    name: str,
    weights: str,
    data_root: Path,
    batch: int = 128,
    device: str = "cpu",
    resize: int | None = None,
    crop: int | None = None,
    download: bool = False,
    progress: Callable[[Counted, int], None] = lambda counted, total: None,
) -> Evaluation:
    """Top-1 and top-5 of a variant with given weights, one central crop of each image.

    Args:
        name: Of the variant.
        weights: A file that torch.save wrote, or the name of torchvision's own, such as IMAGENET1K_V1.
        data_root: Images in class folders, in its ``val`` or ``test`` where there is one.
        resize: Shorter side in pixels before the crop; None: what the weights want, or in the same ratio to the crop.
        crop: Side in pixels; None: what the weights want, else 224.
        download: Whether torchvision's weights may be fetched.

    Raises:
        HarnessError: The weights are of another network, the data has other classes, or something is not there.
    """
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms._presets import ImageClassification

    from harness.data.image_folders import list_evaluation_images
    from harness.launchers.resources import count_cores
    from harness.models import build
    from harness.models.weights import find_classifier, load_weights, published_weights, read_state_dict, find_torchvision_weights
    from harness.reporting.statistics.proportions import binomial_interval
    from harness.training.device import parse_device
    from harness.training.evaluation import evaluate as run

    place = parse_device(device)
    spec = Catalogue.load().get(name)
    entry: Any = None
    if Path(weights).is_file() or "/" in weights or "." in weights:
        path = Path(weights)
    else:
        entry = published_weights(name, weights)
        path = find_torchvision_weights(name, weights, download)
    state = read_state_dict(path)
    if batch < 1:
        raise HarnessError(f"a batch of {batch} images is none", where="--batch", remedy="Use 1 or more.")
    classes, files = list_evaluation_images(data_root)
    known = spec.classes
    with suppress(HarnessError):
        head = state.get(f"{find_classifier(build(spec, seed=0), spec.classes)}.weight")
        known = head.shape[0] if head is not None else known
    if known != len(classes):
        raise HarnessError(
            f"these weights tell {known} classes apart, and the data has {len(classes)}",
            where=f"{data_root}, --data-root",
            remedy="Give the validation images of the data set that the weights were trained on.",
        )
    network = build(spec.model_copy(update={"classes": known}), seed=0)
    load_weights(network, state, str(path))
    wanted = entry.transforms() if entry is not None else ImageClassification(crop_size=224)
    if entry is not None and hasattr(network, "transform_input"):
        # torchvision's networks of Szegedy et al. undo its normalisation where its own weights are used.
        network.transform_input = True  # type: ignore[assignment]
    cut = crop or wanted.crop_size[0]
    side = resize or round(wanted.resize_size[0] * cut / wanted.crop_size[0])
    if cut > side:
        raise HarnessError(
            f"a crop of {cut} pixels is larger than the image, whose shorter side is {side}",
            where="--crop",
            remedy=f"Use --resize {cut} or more.",
        )
    transform = ImageClassification(
        crop_size=cut,
        resize_size=side,
        mean=tuple(wanted.mean),
        std=tuple(wanted.std),
        interpolation=wanted.interpolation if entry is not None else InterpolationMode.BILINEAR,
    )
    for counted in run(network, files, transform, batch, count_cores(), place):
        progress(counted, len(files))
    scores = None
    preset = (side, cut) == (wanted.resize_size[0], wanted.crop_size[0])
    if entry is not None and preset and (len(classes), len(files)) == IMAGENET_VAL:
        metrics = entry.meta["_metrics"]["ImageNet-1K"]
        scores = metrics["acc@1"], metrics["acc@5"]
    return Evaluation(
        spec.name,
        weights,
        counted.images,
        len(classes),
        counted.top1,
        counted.top5,
        binomial_interval(counted.top1, counted.images),
        f"resize {side}, crop {cut}",
        scores,
    )
