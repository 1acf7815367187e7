"""The experiments of the papers, from run to report, on tiny data in the format of the real data."""

import hashlib
import pickle

import numpy as np
import pytest
import torchvision.datasets
from PIL import Image
from rich.console import Console

from harness.api import Settings, collect, load_resolved_experiment, report, run
from harness.specs import find_experiment, load_experiment
from harness.training.optimisers import learning_rate

CPU = ["resources.gpus=0", "resources.cpus=1", "contrasts=[]"]


def _run(name, tmp_path, overrides, root):
    """Run an experiment; return it resolved, with its results and the text of its report."""
    settings = Settings(tmp_path / "home", "none", "inline", reports=tmp_path / "reports")
    study = load_resolved_experiment(name, [*CPU, *overrides], "0,", root)
    assert run(study, settings, Console(quiet=True)).failed == {}
    report(name, settings)
    text = (tmp_path / "reports" / name / "README.md").read_text()
    return study, collect(name, settings)[0], text


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    """``cifar-10-batches-py`` of five training batches of 20 images and a test batch of 10, with its own checksums."""
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    checksums = {}

    def write(name, content):
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        checksums[name] = hashlib.md5(data, usedforsecurity=False).hexdigest()

    for name, images in [*((f"data_batch_{n}", 20) for n in range(1, 6)), ("test_batch", 10)]:
        pixels = generator.integers(0, 256, (images, 3072), dtype=np.uint8)
        write(name, {"data": pixels, "labels": [n % 10 for n in range(images)]})
    write("batches.meta", {"label_names": [f"class {n}" for n in range(10)]})
    original = torchvision.datasets.CIFAR10
    monkeypatch.setattr(original, "train_list", [[name, checksums[name]] for name, _ in original.train_list])
    monkeypatch.setattr(original, "test_list", [["test_batch", checksums["test_batch"]]])
    monkeypatch.setattr(original, "meta", {**original.meta, "md5": checksums["batches.meta"]})
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data"


def test_cifar10_experiment_on_tiny_data_runs_with_the_paper_s_recipe(cifar10, tmp_path):
    study, results, text = _run(
        "cifar10-he2015", tmp_path,
        ["variants.depth=[20]", "variants.set.widths=[2,4,8]", "recipe.epochs=4", "recipe.batch=16"], cifar10,
    )  # fmt: skip
    assert (study.data.train, study.data.val, study.data.test) == (90, 10, 10)
    assert {v.shortcut for v in study.variants} == {"none", "identity"}
    assert list(results.final["epoch"]) == [4, 4]
    assert "Published results" not in text, "published results were shown for a part of CIFAR-10"


def test_schedule_of_the_paper_experiments_lowers_the_rate_at_the_published_steps():
    """64,000 steps at batch 128 of 45,000 images; the rate falls at 32,000 and 48,000."""
    experiment, _ = load_experiment(find_experiment("cifar10-he2015"))
    steps = 352
    assert abs(experiment.recipe.epochs * steps - 64_000) < steps
    rates = {step: learning_rate(experiment.recipe, step, steps) for step in (20_000, 40_000, 60_000)}
    assert [round(rate, 6) for rate in rates.values()] == [0.1, 0.01, 0.001]
    experiment, _ = load_experiment(find_experiment("imagenet"))
    rates = [learning_rate(experiment.recipe, epoch * 5005, 5005) for epoch in (0, 29, 30, 59, 60, 89)]
    assert [round(rate, 6) for rate in rates] == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]


def test_imagenet_experiment_on_tiny_data_runs_with_torchvision_s_recipe(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    for part, images in (("train", 8), ("val", 2)):
        for label in range(3):
            folder = tmp_path / "data" / part / f"n{label:08d}"
            folder.mkdir(parents=True)
            for number in range(images):
                pixels = generator.integers(0, 256, (48, 60, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.JPEG")
    study, results, _ = _run(
        "imagenet", tmp_path,
        ["variants.depth=[18]", "variants.set.widths=[2,2,4,4]", "recipe.epochs=3", "recipe.batch=8",
         "data.image_size=32", "execution.evaluate_every=3"],
        tmp_path / "data",
    )  # fmt: skip
    assert (study.data.train, study.data.test, study.data.classes) == (24, 6, 3)
    assert set(results.final["variant"]) == {"plain18-w2", "resnet18-w2"}
    assert results.final["test/error"].notna().all()
