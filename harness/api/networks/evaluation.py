"""Measure the accuracy of published or own weights on a folder of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.specs import Catalogue
from harness.specs.network.any_variant import AnyVariant

if TYPE_CHECKING:
    from harness.training.accuracy import CorrectCounts

IMAGENET_VALIDATION = (1000, 50_000)
"""Classes and images of the data set on which published accuracies are measured."""
DEFAULT_CROP = 224


@dataclass(frozen=True)
class Evaluation:
    """The accuracy of a network with given weights.

    Attributes:
        images: Number of images.
        classes: Number of classes.
        top1: Images whose label is the most likely class.
        top5: Images whose label is among the five most likely classes.
        interval: Exact binomial 95 % interval of the top-1 accuracy over the images, in percent.
        transform: Size of the images and of their crop, in words.
        published: Top-1 and top-5 accuracy that torchvision publishes for its weights, in percent. None for other
            weights, other data or another transform.
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
    progress: Callable[[CorrectCounts, int], None] = lambda counted, total: None,
) -> Evaluation:
    """Measure top-1 and top-5 accuracy of a variant with given weights, on the central crop of each image.

    Args:
        name: The variant's name.
        weights: A file that torch.save wrote, or the name of torchvision's weights, such as IMAGENET1K_V1.
        data_root: Images in class folders, or a directory that holds them as ``val`` or ``test``.
        resize: Shorter side in pixels before the crop; None: what the weights were published with, in proportion to the
            crop.
        crop: Side of the crop in pixels; None: what the weights were published with, else 224.
        download: Whether torchvision's weights may be downloaded.
        progress: Receives the counts so far and the number of images.

    Raises:
        HarnessError: The weights are missing or belong to another network, or the data has other classes.
    """
    from harness.data.image_folders import list_evaluation_images
    from harness.launchers.resources import count_cores
    from harness.models.weights import read_state_dict
    from harness.reporting.statistics.proportions import binomial_interval
    from harness.training.accuracy import count_correct
    from harness.training.device import parse_device

    torch_device = parse_device(device)
    spec = Catalogue.load().get(name)
    path, published = _find_weights(name, weights, download)
    state = read_state_dict(path)
    if batch < 1:
        raise HarnessError(f"the batch size {batch} is less than 1", where="--batch", remedy="Use 1 or more.")
    classes, files = list_evaluation_images(data_root)
    _require_classes(spec, state, len(classes), data_root)
    network = _build_with_weights(spec.model_copy(update={"classes": len(classes)}), state, path, published)
    transform, sizes, is_preset = _choose_transform(published, resize, crop)
    for counted in count_correct(network, files, transform, batch, count_cores(), torch_device):
        progress(counted, len(files))
    is_published = is_preset and (len(classes), len(files)) == IMAGENET_VALIDATION
    return Evaluation(
        spec.name,
        weights,
        counted.images,
        len(classes),
        counted.top1,
        counted.top5,
        binomial_interval(counted.top1, counted.images),
        sizes,
        _published_accuracies(published) if is_published else None,
    )


def _build_with_weights(spec: AnyVariant, state: dict[str, Any], path: Path, published: Any) -> Any:
    """Return the network of a spec with the given weights in it."""
    from harness.models import build
    from harness.models.weights import load_weights

    network = build(spec, seed=0)
    load_weights(network, state, str(path))
    if published is not None and hasattr(network, "transform_input"):
        # torchvision's networks of Szegedy et al. undo its normalisation if its own weights are used.
        network.transform_input = True  # type: ignore[assignment]
    return network


def _find_weights(name: str, weights: str, download: bool) -> tuple[Path, Any]:
    """Return the file of the weights, and torchvision's entry for them; None for a file of the user's."""
    from harness.models.weights import find_published_weights, find_torchvision_weights

    if Path(weights).is_file() or "/" in weights or "." in weights:
        return Path(weights), None
    published = find_published_weights(name, weights)
    return find_torchvision_weights(name, weights, download), published


def _published_accuracies(published: Any) -> tuple[float, float] | None:
    """Return top-1 and top-5 accuracy of torchvision's weights on ImageNet, in percent; None for a user's weights."""
    if published is None:
        return None
    metrics = published.meta["_metrics"]["ImageNet-1K"]
    return metrics["acc@1"], metrics["acc@5"]


def _require_classes(spec: AnyVariant, state: Mapping[str, Any], classes: int, data_root: Path) -> None:
    """Check that the weights and the data have the same number of classes.

    Raises:
        HarnessError: They are not.
    """
    from harness.models import build
    from harness.models.weights import find_classifier

    outputs = spec.classes
    with suppress(HarnessError):
        classifier = state.get(f"{find_classifier(build(spec, seed=0), spec.classes)}.weight")
        outputs = classifier.shape[0] if classifier is not None else outputs
    if outputs != classes:
        raise HarnessError(
            f"the weights are for {outputs} classes, but the data has {classes}",
            where=f"{data_root}, --data-root",
            remedy="Give the validation images of the data set on which the weights were trained.",
        )


def _choose_transform(published: Any, resize: int | None, crop: int | None) -> tuple[Any, str, bool]:
    """Return the transform of the images, its sizes in words, and whether they are those of the published weights.

    Raises:
        HarnessError: The crop is larger than the resized image.
    """
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms._presets import ImageClassification

    preset = published.transforms() if published is not None else ImageClassification(crop_size=DEFAULT_CROP)
    crop_size = crop or preset.crop_size[0]
    resize_size = resize or round(preset.resize_size[0] * crop_size / preset.crop_size[0])
    if crop_size > resize_size:
        raise HarnessError(
            f"a crop of {crop_size} pixels is larger than the image, whose shorter side is {resize_size}",
            where="--crop",
            remedy=f"Use --resize {crop_size} or more.",
        )
    transform = ImageClassification(
        crop_size=crop_size,
        resize_size=resize_size,
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation if published is not None else InterpolationMode.BILINEAR,
    )
    is_preset = (resize_size, crop_size) == (preset.resize_size[0], preset.crop_size[0])
    return transform, f"resize {resize_size}, crop {crop_size}", is_preset
