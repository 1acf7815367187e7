"""`harness bench`: its output, its page, and its place in the report of an experiment."""

import json

import pytest
import yaml

TINY = ["--input", "1x8x8", "--seconds", "0.05", "--repeats", "2", "--threads", "1"]


def test_bench_on_a_missing_device_prints_one_screen_and_exits_with_2(harness):
    done = harness("bench", "cifar-resnet8", *TINY, "--device", "cuda:7")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in ("--device", "no device 'cuda:7'", "Use cpu"):
        assert word in " ".join(done.stderr.split()), done.stderr


@pytest.mark.slow
def test_bench_prints_a_table_and_writes_a_page_with_the_raw_values(harness, tmp_path):
    # One variant is named twice.
    names = ["cifar-resnet8", "cifar-resnet8", "cifar-plain8"]
    done = harness("bench", *names, *TINY, "--batch-sizes", "2,4", "--name", "small-costs")
    assert done.returncode == 0, done.stderr
    assert "cifar-resnet8 (2)" in done.stdout
    assert "Batch" not in done.stdout
    assert done.stdout.count("training") >= 6
    assert "1x8x8 images, batch 4, fp32, contiguous, autotuned kernels" in done.stdout
    page = tmp_path / "work" / "reports" / "small-costs" / "README.md"
    text = page.read_text()
    assert "harness bench cifar-resnet8 cifar-resnet8 cifar-plain8" in text
    rows = json.loads((page.parent / "costs.json").read_text())
    assert [row["setting"]["batch"] for row in rows] == [2, 2, 2, 4, 4, 4]
    assert all(len(row["repeats"]) == 2 for row in rows)
    raw = rows[0]["repeats"][0]["inference"]["turns"]
    assert len(raw) >= 4 and all(seconds > 0 for turn in raw for seconds in turn)


@pytest.mark.slow
@pytest.mark.parametrize("failure", ["torch.empty(10**15)", "os.kill(os.getpid(), 9)"])
def test_bench_out_of_memory_halves_the_batch(harness, tmp_path, failure):
    work = tmp_path / "work"
    (work / "variants").mkdir(parents=True)
    family = {"family": "mine", "kind": "python", "input_size": 8, "members": {"hungry": {"factory": "nets:hungry"}}}
    (work / "variants" / "mine.yaml").write_text(yaml.safe_dump(family))
    (work / "nets.py").write_text(f"""
import os
import torch
from torch import nn


class Hungry(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.fc = nn.Linear(channels * 64, classes)

    def forward(self, images):
        if len(images) > 5:
            {failure}
        return self.fc(images.flatten(1))


def hungry(in_channels, classes):
    return Hungry(in_channels, classes)
""")
    done = harness("bench", "hungry", *TINY, "--batch-sizes", "16")
    assert done.returncode == 0, done.stderr
    assert "16 images do not fit in memory; trying 8" in done.stderr
    assert "8 images do not fit in memory; trying 4" in done.stderr
    assert "4 (of 16)" in done.stdout
    assert "the memory held a batch of 8 instead of 16" in done.stdout


@pytest.mark.slow
def test_bench_of_a_network_that_raises_names_the_network(harness, tmp_path):
    work = tmp_path / "work"
    (work / "variants").mkdir(parents=True)
    family = {"family": "mine", "kind": "python", "input_size": 8, "members": {"broken": {"factory": "nets:broken"}}}
    (work / "variants" / "mine.yaml").write_text(yaml.safe_dump(family))
    (work / "nets.py").write_text("""
from torch import nn


class Broken(nn.Linear):
    def forward(self, images):
        if len(images) > 1:
            raise RuntimeError("it likes one image alone")
        return super().forward(images.flatten(1))


def broken(in_channels, classes):
    return Broken(64 * in_channels, classes)
""")
    done = harness("bench", "broken", *TINY, "--batch-sizes", "4")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "broken" in done.stderr and "it likes one image alone" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_bench_of_an_experiment_appears_in_its_report(harness, experiment_file, tmp_path):
    """The report shows the costs only if no other process used the machine while they were measured."""
    variants = {"family": "cifar-resnet", "depth": [8], "shortcut": ["none", "identity"], "set": {"widths": [2, 4, 8]}}
    file = experiment_file(variants=variants, seeds=[100], contrasts=None)
    # Costs may be measured before any trial has run; the experiment is listed as usual afterwards.
    done = harness("bench", "--experiment", file, "--seconds", "0.01", "--repeats", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert harness("run", file, "--launcher", "inline").returncode == 0
    assert "quick" in harness("sync").stdout
    done = harness("bench", "--experiment", file, "--seconds", "0.05", "--repeats", "5", "--json")
    assert done.returncode == 0, done.stderr
    costs = json.loads(done.stdout)
    assert [(row["setting"]["batch"], row["setting"]["threads"]) for row in costs] == [(1, 1)] * 2 + [(64, 1)] * 2
    assert all(row["repeats"][0]["conditions"]["kernels"] == "deterministic" for row in costs)
    assert harness("report", "quick").returncode == 0
    text = (tmp_path / "work" / "reports" / "quick" / "README.md").read_text()
    phases = [[r[p]["busy"] for r in row["repeats"] for p in ("inference", "training") if r[p]] for row in costs]
    exclusive = any(not any(busy) for busy in phases)
    assert ("Latency of one image (ms)" in text) == exclusive
    before = (tmp_path / "work" / "reports" / "quick" / "README.md").read_bytes()
    assert harness("report", "reports/quick/results.csv").returncode == 0
    assert (tmp_path / "work" / "reports" / "quick" / "README.md").read_bytes() == before
    assert harness("trials", "quick").returncode == 0
    # Costs are not trials, so no trial is left to train.
    assert "nothing to train" in harness("run", file, "--launcher", "inline").stdout


@pytest.mark.slow
def test_bench_in_a_ray_task_measures_training(harness):
    done = harness("bench", "cifar-resnet8", *TINY, "--batch-sizes", "4", "--launcher", "ray")
    assert done.returncode == 0, done.stderr
    assert "training" in done.stdout
