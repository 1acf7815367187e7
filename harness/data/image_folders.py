"""Image folders: a directory for each class, with the images of that class in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
DEFAULT_IMAGE_SIZE = 64
"""Side in pixels that images are resized to where the experiment declares none."""

LabelledFile = tuple[Path, int]


@dataclass(frozen=True)
class ImageFolder:
    """The files of an image folder.

    Attributes:
        classes: The names of the class folders, in the order of their labels.
        train: (file, label) of each training image.
        test: (file, label) of each test image; None where the folder has no test split of its own.
    """

    classes: list[str]
    train: list[LabelledFile]
    test: list[LabelledFile] | None


def scan_image_folder(root: Path) -> ImageFolder:
    """List the files of ``root/<class>/<image>``, or of ``root/train/<class>/<image>`` with ``root/test`` or ``val``.

    Raises:
        HarnessError: There are fewer than two classes, a class has no images, or the test split has another class.
    """
    train_dir = root / "train" if (root / "train").is_dir() else root
    classes = _list_classes(
        train_dir,
        "data.root",
        "Lay it out as ROOT/<class>/<image>, or ROOT/train/<class>/<image> and ROOT/val/<class>/<image>.",
    )
    test_dir = next((root / name for name in ("test", "val") if (root / name).is_dir()), None)
    if test_dir is None or train_dir == root:
        return ImageFolder(classes, _list_images(train_dir, classes), None)
    extra = sorted({path.name for path in test_dir.iterdir() if path.is_dir()} - set(classes))
    if extra:
        raise HarnessError(
            f"this directory has the class '{extra[0]}', which {train_dir.name}/ does not have",
            where=f"{test_dir}, data.root",
            remedy="Give both splits the same class folders.",
        )
    return ImageFolder(classes, _list_images(train_dir, classes), _list_images(test_dir, classes))


def list_evaluation_images(root: Path) -> tuple[list[str], list[LabelledFile]]:
    """Return the class names and the (file, label) pairs of ``root/val``, ``root/test`` or ``root`` itself.

    Raises:
        HarnessError: The directory is missing, it has fewer than two classes, or a class has no images.
    """
    folder = next((root / name for name in ("val", "test") if (root / name).is_dir()), root)
    if not folder.is_dir():
        raise HarnessError("this directory does not exist", where=f"{folder}, --data-root", remedy="Check --data-root.")
    classes = _list_classes(folder, "--data-root", "Lay it out as ROOT/val/<class>/<image>.")
    return classes, _list_images(folder, classes)


def _list_classes(folder: Path, option: str, remedy: str) -> list[str]:
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        raise HarnessError(
            f"the directory has {len(classes) or 'no'} class folder{'s' * (len(classes) != 1)}; at least 2 are needed",
            where=f"{folder}, {option}",
            remedy=remedy,
        )
    return classes


def _list_images(folder: Path, classes: list[str]) -> list[LabelledFile]:
    images = []
    for label, name in enumerate(classes):
        files = sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
        if not files:
            raise HarnessError(
                f"the class folder '{name}' has no images",
                where=f"{folder}, data.root",
                remedy=f"Put images into it ({', '.join(IMAGE_SUFFIXES[:4])}, ...), or remove it.",
            )
        images += [(file, label) for file in files]
    return images
