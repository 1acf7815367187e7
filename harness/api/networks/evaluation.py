"""Measure the accuracy of published or own weights on a folder of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.settings.user_paths import resolve_directory, resolve_path
from harness.specs import Catalogue, require_variant_without_code
from harness.specs.network.any_variant import AnyVariant

if TYPE_CHECKING:
    from harness.data.folders.classes import LabelledFile
    from harness.data.folders.evaluation import ClassOrder
    from harness.data.folders.layout import DeclaredLayout
    from harness.training.accuracy import CorrectCounts

IMAGENET_VALIDATION = (1000, 50_000)
"""Classes and images of the data set on which published accuracies are measured."""
DEFAULT_CROP = 224
TOP_K = 5


@dataclass(frozen=True)
class Evaluation:
    """The accuracy of a network with given weights.

    Attributes:
        images: Number of images.
        classes: Number of classes.
        top1: Images whose label is the most likely class.
        top5: Images whose label is among the five most likely classes; None where there are five classes or fewer,
            because every image would count.
        interval: Exact binomial 95 % interval of the top-1 accuracy over the images, in percent.
        transform: Size of the images and of their crop, in words.
        published: Top-1 and top-5 accuracy that torchvision publishes for its weights, in percent. None for other
            weights, other data or another transform.
        class_names: The names of the class folders in the order of their labels.
        notes: What the user should know of how the images were found, one line each.
    """

    variant: str
    weights: str
    images: int
    classes: int
    top1: int
    top5: int | None
    interval: tuple[float, float]
    transform: str
    published: tuple[float, float] | None = None
    class_names: Sequence[str] = ()
    notes: Sequence[str] = ()


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
    layout: DeclaredLayout | None = None,
    order: ClassOrder | None = None,
    no_code: bool = False,
) -> Evaluation:
    """Measure top-1 and top-5 accuracy of a variant with given weights, on the central crop of each image.

    Args:
        name: The variant's name.
        weights: A file that torch.save wrote, or the name of torchvision's weights, such as IMAGENET1K_V1.
        data_root: Images in class folders, or a directory that holds them as ``val`` or ``test``.
        resize: Shorter side in pixels before the crop; None: that of the weights' own transform, scaled as the crop is.
        crop: Side of the crop in pixels; None: what the weights were published with, else 224.
        download: Whether torchvision's weights may be downloaded.
        progress: Receives the counts so far and the number of images.
        layout: Whether the directories in the root are classes or splits, where their names allow both.
        order: The order of the labels: names of classes as text, or as integers. Needed where the two differ.
        no_code: Whether to refuse a network of Python code before it is imported.

    Raises:
        HarnessError: The weights are missing or belong to another network, or the data or its classes do not fit.
    """
    from harness.data.folders.evaluation import list_evaluation_images
    from harness.reporting.statistics.proportions import binomial_interval
    from harness.training.device import parse_device

    torch_device = parse_device(device)
    data_root = resolve_directory(data_root, "--data-root")
    spec = Catalogue.load().get(name)
    if no_code:
        require_variant_without_code(spec, f"{name}.factory")
    path, state, published = _read_weights(name, weights, download)
    images = list_evaluation_images(data_root, layout, order)
    _require_classes(spec, state, classes := len(images.classes), data_root)
    network = _build_with_weights(spec, classes, state, path, published)
    transform, sizes, is_preset = _choose_transform(published, resize, crop)
    counted = _count_correct(network, images.files, transform, batch, torch_device, progress)
    is_published = is_preset and (classes, counted.images) == IMAGENET_VALIDATION
    return Evaluation(
        variant=spec.name,
        weights=weights,
        images=counted.images,
        classes=classes,
        top1=counted.top1,
        top5=counted.top5 if classes > TOP_K else None,
        interval=binomial_interval(counted.top1, counted.images),
        transform=sizes,
        published=_published_accuracies(published) if is_published else None,
        class_names=images.classes,
        notes=images.notes,
    )


def _count_correct(
    network: Any,
    files: Sequence[LabelledFile],
    transform: Any,
    batch: int,
    device: Any,
    progress: Callable[[CorrectCounts, int], None],
) -> CorrectCounts:
    """Return how many images the network classifies correctly.

    Raises:
        HarnessError: The batch size is less than 1, or a file is not a readable image.
    """
    from harness.launchers.resources import count_cores
    from harness.training.accuracy import count_correct

    if batch < 1:
        raise HarnessError(f"the batch size {batch} is less than 1", where="--batch", remedy="Use 1 or more.")
    for counted in count_correct(network, files, transform, batch, count_cores(), device):
        progress(counted, len(files))
    return counted


def _build_with_weights(spec: AnyVariant, classes: int, state: dict[str, Any], path: Path, published: Any) -> Any:
    """Return the network of a spec with the given weights in it."""
    from harness.models import build
    from harness.models.weights import load_weights

    network = build(spec.model_copy(update={"classes": classes}), seed=0)
    load_weights(network, state, str(path))
    if published is not None and hasattr(network, "transform_input"):
        # torchvision's networks of Szegedy et al. undo its normalisation if its own weights are used.
        network.transform_input = True  # type: ignore[assignment]
    return network


def _read_weights(name: str, weights: str, download: bool) -> tuple[Path, dict[str, Any], Any]:
    """Return the file of the weights, its tensors, and torchvision's entry for them; None for a file of the user's."""
    from harness.models.weights import find_published_weights, find_torchvision_weights, read_state_dict

    path = resolve_path(weights, "--weights")
    if path.is_file() or "/" in weights or "." in weights:
        return path, read_state_dict(path), None
    published = find_published_weights(name, weights)
    path = find_torchvision_weights(name, weights, download)
    return path, read_state_dict(path), published


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
