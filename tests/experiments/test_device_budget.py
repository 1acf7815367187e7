"""Memory that trials took, and what a plan says of it; GPU-hours and money before anything starts."""

import json
import re

import pytest
from trial_helpers import QUIET

from harness import api
from harness.errors import HarnessError
from harness.experiments.planning.device_budget import gpu_hours, memory_warning
from harness.processes import machine_memory
from harness.specs import Resources
from harness.tracking.mlflow_record.reader import RecordedTrial
from harness.tracking.record import open_record

GIB = 2**30


def _took(gib, of=80):
    return RecordedTrial("", True, memory=(int(gib * GIB), of * GIB))


@pytest.mark.parametrize(
    ("took", "resources", "concurrency", "says"),
    [
        ([30], {"gpus": 0.25}, 8, "4 trials would share a GPU of 80.0 GiB, .* took 30.0: use --set resources.gpus=0.5"),
        ([10, 25, 3], {"gpus": 1 / 3}, 8, "3 trials .* took 25.0: use --set resources.gpus=0.5"),
        ([23], {"gpus": 1 / 3}, 8, ""),
        ([30], {"gpus": 0.25}, 2, ""),
        ([79], {"gpus": 1}, 8, ""),
        ([79], {"gpus": 0.5}, 8, "use --set resources.gpus=1$"),
        ([30], {}, 3, "3 trials would share the machine .* --set resources.max_concurrent=2"),
        ([30], {}, 2, ""),
        ([], {"gpus": 0.1}, 10, ""),
        ([0], {"gpus": 0.1}, 10, ""),
    ],
)
def test_a_plan_says_where_trials_do_not_fit(took, resources, concurrency, says):
    said = memory_warning(map(_took, took), Resources(**resources), concurrency)
    assert said == "" if not says else re.search(says, said), said
    # How many of them come to share each of several machines, nobody knows yet.
    assert memory_warning(map(_took, took), Resources(**resources), concurrency, one_machine=False) == (
        said if "gpus" in resources else ""
    )


def test_gpu_hours_and_money():
    assert gpu_hours(3600, Resources(), None) is None
    assert gpu_hours(7200, Resources(gpus=0.5), None).hours == 1
    assert gpu_hours(3600, Resources(gpus=1, workers=4), 2.5).cost == 10
    assert str(gpu_hours(36_000, Resources(gpus=1, workers=4), 2.5)) == "40 GPU-hours, 100.00 at 2.5 each"
    assert str(gpu_hours(360, Resources(gpus=1), None)) == "0.10 GPU-hours"
    with pytest.raises(HarnessError, match="trials ask for no GPU"):
        gpu_hours(1, Resources(), 2.5)


@pytest.mark.parametrize("uri", [None, "none"])
def test_what_a_trial_took_is_recorded_and_planned_with(quick_study, tmp_path, monkeypatch, uri):
    """Really measured; then the machine is said to be small."""
    only = {"variants": {"family": "cifar-resnet", "depth": 8, "set": {"widths": [2, 4, 8]}}, "contrasts": None}
    study = quick_study(seeds=[100], **only)
    settings = api.Settings(home=tmp_path, tracking_uri=uri, launcher="inline", reports=tmp_path / "reports")
    api.run(study, settings, QUIET)
    recorded = open_record(settings, "quick").trials()
    for run in recorded.values():
        assert 50 * 2**20 < run.memory[0] < 8 * GIB
        assert run.memory[1] == machine_memory()
    more = quick_study(seeds=[100, 101], **only)
    monkeypatch.setattr("harness.api.experiments.local_concurrency", lambda study, settings: 10**6)
    assert "use --set resources.max_concurrent=" in api.plan(more, settings).warning
    monkeypatch.setattr("harness.api.experiments.local_concurrency", lambda study, settings: 1)
    assert api.plan(more, settings).warning == ""


@pytest.mark.slow
def test_the_plan_shows_what_it_costs(harness, experiment_file):
    recipe = {"epochs": 500_000, "batch": 64, "lr": 0.05}
    file = experiment_file(resources={"gpus": 1}, recipe=recipe)
    done = harness("plan", file, "--tracking-uri", "none", "--price", "3.6")
    assert done.returncode == 0, done.stderr
    assert re.search(r"About [1-9][\d.]* GPU-hours, [1-9][\d.]* at 3.6 each", done.stdout)
    shown = json.loads(harness("plan", file, "--tracking-uri", "none", "--price", "3.6", "--json").stdout)
    assert shown["price"] == pytest.approx(3.6 * shown["gpu_hours"])
    assert shown["gpu_hours"] == pytest.approx(sum(trial["seconds"] for trial in shown["trials"]) / 3600)
    refused = harness("plan", experiment_file("cpu.yaml"), "--price", "3.6")
    assert refused.returncode == 2
    assert "trials ask for no GPU" in refused.stderr
