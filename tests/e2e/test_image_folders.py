"""A folder of images from the plan to the report: what is said of its classes, its splits and what is left out."""

import json

import pytest
import yaml
from image_trees import write_tree
from typer.testing import CliRunner

from harness.cli.main import app


@pytest.fixture
def call(tmp_path, monkeypatch):
    """A function that runs a command on a small experiment of images in ``tmp_path/images``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    experiment = {
        "name": "images",
        "question": "Q",
        "variants": {"family": "cifar-resnet", "depth": [8], "shortcut": ["identity"], "set": {"widths": [4, 4, 8]}},
        "data": {"name": "imagefolder", "image_size": 4, "test_fraction": 0.5},
        "recipe": {"epochs": 1, "batch": 4, "lr": 0.05},
        "seeds": [1],
    }
    (tmp_path / "images.yaml").write_text(yaml.safe_dump(experiment))

    def run(command, *options):
        return CliRunner().invoke(app, [command, "images.yaml", "--data-root", "images", *options])

    return run


def test_plan_and_report_say_classes_unused_split_and_files_left_out(call, tmp_path):
    splits = ("Train", "Val", "Test")
    root = write_tree(tmp_path / "images", *(f"{split}/{name}" for split in splits for name in ("ant", "bee")))
    (root / "Train" / "ant" / "list.csv").touch()
    shown = call("plan")
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert lines[2] == "2 classes: ant, bee; the test images are those of Test/; Val/ is not used."
    assert lines[3] == "note files left out because they are no images: 1 (Train/ant/list.csv)"
    data = json.loads(call("plan", "--json").stdout)["data"]
    assert (data["classes"], data["class_names"], data["train"], data["test"]) == (2, ["ant", "bee"], 4, 4)
    assert data["split_notes"] == ["the test images are those of Test/", "Val/ is not used"]
    assert data["notes"] == ["files left out because they are no images: 1 (Train/ant/list.csv)"]
    done = call("run", "--launcher", "inline", "--tracking-uri", "none")
    assert done.exit_code == 0, done.output
    report = (tmp_path / "reports" / "images" / "README.md").read_text()
    (row,) = [line for line in report.splitlines() if line.startswith("| Images |")]
    assert row.endswith(
        "2 classes, 3 × 4 × 4; the test images are those of Test/; Val/ is not used; "
        "files left out because they are no images: 1 (Train/ant/list.csv) |"
    )


def test_plan_names_the_first_classes_and_the_number_of_the_others(call, tmp_path):
    write_tree(tmp_path / "images", *(f"class{number:02}" for number in range(12)), each=4)
    lines = call("plan").output.splitlines()
    assert lines[2] == "12 classes: class00, class01, class02, class03, class04 and 7 more."


def test_declared_layout_makes_the_same_trials_as_a_layout_that_is_clear(call, tmp_path):
    root = write_tree(tmp_path / "images", *(f"{split}/{name}" for split in ("train", "val") for name in "ab"))
    clear = json.loads(call("plan", "--json").stdout)["trials"]
    write_tree(root, "unlabelled")
    refused = call("plan", "--json")
    assert "may mean splits or classes" in str(refused.exception)
    declared = json.loads(call("plan", "--json", "--set", "data.layout=splits").stdout)
    assert declared["trials"] == clear
    assert declared["data"]["split_notes"] == ["the test images are those of val/", "unlabelled/ is not used"]
    as_classes = json.loads(call("plan", "--json", "--set", "data.layout=classes").stdout)
    assert as_classes["data"]["class_names"] == ["train", "unlabelled", "val"]
    assert as_classes["trials"][0]["trial"] != clear[0]["trial"]
