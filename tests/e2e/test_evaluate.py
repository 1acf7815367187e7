"""``harness evaluate`` on images and weights in the format of the real ones."""

import json
from pathlib import Path

import pytest
import torch
from image_trees import write_tree
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
    assert printed["class_names"] == [f"n{label:08d}" for label in range(6)] and printed["notes"] == []
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


def constant_weights(path, classes, answer):
    """Write weights of a resnet18 that answers one class whatever the image is; return the path."""
    network = build(Catalogue.load().get("resnet18").model_copy(update={"classes": classes}), seed=0)
    with torch.no_grad():
        network.fc.weight.zero_()
        network.fc.bias.zero_()
        network.fc.bias[answer] = 5.0
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def run_evaluate(monkeypatch):
    """A function that runs ``harness evaluate`` of a resnet18 on small crops in this process."""
    from typer.testing import CliRunner

    from harness.cli.main import app

    def run(weights, root, *options):
        arguments = ["evaluate", "resnet18", "--weights", str(weights), "--data-root", str(root), "--crop", "16"]
        return CliRunner().invoke(app, [*arguments, *options])

    return run


@pytest.mark.parametrize(("order", "accuracy"), [("number", "16.67"), ("name", "8.33")])
def test_evaluate_command_on_classes_named_by_number_needs_their_order(tmp_path, run_evaluate, order, accuracy):
    """Folder 2 has two of twelve images, and the weights always answer 2."""
    root = write_tree(tmp_path / "data", *(f"val/{label}" for label in range(11)), "val/2/more", each=1)
    weights = constant_weights(tmp_path / "w.pth", 11, 2)
    with pytest.raises(HarnessError, match="their order as text is not their order as numbers"):
        evaluate("resnet18", str(weights), root)
    done = run_evaluate(weights, root, "--order", order)
    assert done.exit_code == 0, done.output
    assert f"top-1 {accuracy} %" in done.output
    labels = {"number": "0 = 0, 1 = 1, 2 = 2, 3 = 3, 4 = 4", "name": "0 = 0, 1 = 1, 2 = 10, 3 = 2, 4 = 3"}
    assert f"Labels: {labels[order]}, ..." in done.output


@pytest.mark.parametrize(("classes", "has_top5"), [(2, False), (4, False), (5, False), (6, True)])
def test_evaluate_command_shows_top_5_only_with_more_than_five_classes(tmp_path, run_evaluate, classes, has_top5):
    root = write_tree(tmp_path / "data", *(f"c{label}" for label in range(classes)), each=1)
    weights = constant_weights(tmp_path / "w.pth", classes, 0)
    done = run_evaluate(weights, root)
    assert done.exit_code == 0, done.output
    assert ("top-5" in done.output) == has_top5
    top5 = json.loads(run_evaluate(weights, root, "--json").stdout)["top5"]
    assert (top5 is not None) == has_top5


def test_evaluate_command_says_which_split_and_which_files_it_leaves_out(tmp_path, run_evaluate):
    splits = [f"{split}/{name}" for split in ("Train", "Valid", "Test") for name in ("ant", "bee")]
    root = write_tree(tmp_path / "data", *splits)
    (root / "Valid" / "ant" / "list.csv").touch()
    done = run_evaluate(constant_weights(tmp_path / "w.pth", 2, 0), root)
    assert done.exit_code == 0, done.output
    assert "4 images of 2 classes" in done.output and "top-1 50.00 %" in done.output
    for note in (
        "the images are those of Valid/",
        "Test/ is not used",
        "files left out because they are no images: 1 (Valid/ant/list.csv)",
    ):
        assert f"note {note}\n" in done.output
