"""``harness evaluate`` on images and weights in the format of the real ones."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from harness.api.networks.evaluation import evaluate
from harness.errors import HarnessError
from harness.models import build
from harness.specs import Catalogue


@pytest.fixture
def image_root(tmp_path):
    """A data root whose ``val/`` has six classes of two images each; a class has one colour."""
    for label in range(6):
        folder = tmp_path / "data" / "val" / f"n{label:08d}"
        folder.mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (40 + number, 48), (40 * label, 255 - 40 * label, 10)).save(folder / f"{number}.JPEG")
    return tmp_path / "data"


@pytest.fixture
def weights(tmp_path):
    """A file with the weights of a resnet18 for six classes."""
    network = build(Catalogue.load().get("resnet18").model_copy(update={"classes": 6}), seed=0)
    torch.save(network.state_dict(), tmp_path / "six.pth")
    return tmp_path / "six.pth"


def test_evaluate_command_with_another_batch_size_counts_the_same(harness, image_root, weights):
    completed = harness("evaluate", "resnet18", "--weights", weights, "--data-root", image_root, "--crop", 32,
                        "--resize", 36, "--batch", 5, "--json")  # fmt: skip
    assert completed.returncode == 0, completed.stderr
    printed = json.loads(completed.stdout)
    assert (printed["images"], printed["classes"], printed["transform"]) == (12, 6, "resize 36, crop 32")
    assert 0 <= printed["top1"] <= printed["top5"] <= 12 and printed["published"] is None
    result = evaluate("resnet18", str(weights), image_root, crop=32, resize=36)
    assert (result.top1, result.top5) == (printed["top1"], printed["top5"]), "the batch size changes the counts"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "resnet34"}, ["these weights do not fit the network", "are missing in the file"]),
        ({"batch": 0}, ["--batch"]),
        ({"device": "tpu9"}, ["this machine has no device 'tpu9'"]),
        ({"device": "meta"}, ["this machine has no device 'meta'"]),
        ({"crop": 64, "resize": 50}, ["larger than the image", "--resize 64"]),
        ({"name": "resnet18[/bold]"}, ["there is no variant 'resnet18[/bold]'"]),
        ({"data_root": Path()}, ["class folder"]),
        ({"weights": "IMAGENET1K_V9"}, ["torchvision has no weights 'IMAGENET1K_V9'"]),
        ({"weights": "IMAGENET1K_V1"}, ["not in torchvision's cache", "--download"]),
        ({"name": "cifar-resnet20", "weights": "IMAGENET1K_V1"}, ["no weights for 'cifar-resnet20'"]),
        ({"weights": "absent.pth"}, ["absent.pth", "No such file"]),
    ],
)
def test_evaluate_with_impossible_arguments_raises(image_root, weights, tmp_path, monkeypatch, changes, words):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.chdir(tmp_path / "data" / "val" / "n00000000")
    arguments = {"name": "resnet18", "weights": str(weights), "data_root": image_root, **changes}
    with pytest.raises(HarnessError) as caught:
        evaluate(**arguments)
    for word in words:
        assert word in str(caught.value)


def test_evaluate_command_with_an_unknown_variant_prints_no_traceback(harness, image_root, weights):
    completed = harness("evaluate", "resnet18[/bold]", "--weights", weights, "--data-root", image_root)
    assert completed.returncode == 2
    assert "Traceback" not in completed.stderr and "resnet18[/bold]" in completed.stderr
