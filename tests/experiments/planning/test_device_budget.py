"""The memory that trials share, and GPU-hours with their price, before anything starts."""

import json
import re

import pytest

from harness.errors import HarnessError
from harness.experiments.planning.device_budget import count_concurrent_trials, count_gpu_hours, memory_warning
from harness.launchers.resources import count_cores
from harness.settings import Settings
from harness.specs import Resources
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.recorded_trial import RecordedTrial

GIB = 2**30


def recorded_trials(peaks, device=80):
    """Return recorded trials that took so many GiB of a device of ``device`` GiB."""
    return [RecordedTrial("", TrialStatus.FINISHED, memory=(int(gib * GIB), device * GIB)) for gib in peaks]


@pytest.mark.parametrize(
    ("peaks", "resources", "concurrency", "words"),
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
def test_memory_warning_names_the_setting_that_fits(peaks, resources, concurrency, words):
    warning = memory_warning(recorded_trials(peaks), Resources(**resources), concurrency)
    assert warning == "" if not words else re.search(words, warning), warning
    # On several machines without GPUs, nobody knows how many trials will share one.
    on_several = memory_warning(recorded_trials(peaks), Resources(**resources), concurrency, one_machine=False)
    assert on_several == (warning if "gpus" in resources else "")


@pytest.mark.parametrize(
    ("settings", "resources", "trials"),
    [
        (Settings(launcher="inline"), {}, 1),
        (Settings(at_once=12), {}, 12),
        (Settings(at_once=12), {"max_concurrent": 3}, 3),
        (Settings(), {"cpus": count_cores()}, 1),
        (Settings(), {"gpus": 1}, 1),
    ],
    ids=["inline", "cluster", "largest number", "all cores", "one GPU"],
)
def test_concurrent_trials_follow_from_launcher_and_resources(settings, resources, trials):
    assert count_concurrent_trials(Resources(**resources), settings) == trials


@pytest.mark.parametrize(
    ("seconds", "resources", "price", "text", "cost"),
    [
        (7200, {"gpus": 0.5}, None, "1.00 GPU-hours", None),
        (360, {"gpus": 1}, None, "0.10 GPU-hours", None),
        (36_000, {"gpus": 1, "workers": 4}, 2.5, "40 GPU-hours, 100.00 at 2.5 each", 100),
    ],
)
def test_gpu_hours_are_those_of_the_reservation(seconds, resources, price, text, cost):
    gpu_hours = count_gpu_hours(seconds, Resources(**resources), price)
    assert (str(gpu_hours), gpu_hours.cost) == (text, cost)


def test_trials_without_gpu_have_no_gpu_hours_and_no_price():
    assert count_gpu_hours(3600, Resources(), None) is None
    with pytest.raises(HarnessError, match="trials ask for no GPU"):
        count_gpu_hours(1, Resources(), 2.5)


def test_price_that_is_not_finite_is_refused():
    with pytest.raises(HarnessError, match="nan is not a price"):
        count_gpu_hours(1, Resources(gpus=1), float("nan"))


@pytest.mark.slow
def test_plan_command_prints_gpu_hours_and_their_price(harness, experiment_file):
    recipe = {"epochs": 500_000, "batch": 64, "lr": 0.05}
    file = experiment_file(resources={"gpus": 1}, recipe=recipe)
    printed = harness("plan", file, "--tracking-uri", "none", "--price", "3.6")
    assert printed.returncode == 0, printed.stderr
    assert re.search(r"About [1-9][\d.]* GPU-hours, [1-9][\d.]* at 3.6 each", printed.stdout)
    plan = json.loads(harness("plan", file, "--tracking-uri", "none", "--price", "3.6", "--json").stdout)
    assert plan["price"] == pytest.approx(3.6 * plan["gpu_hours"])
    assert plan["gpu_hours"] == pytest.approx(sum(trial["seconds"] for trial in plan["trials"]) / 3600)
    refused = harness("plan", experiment_file("cpu.yaml"), "--price", "3.6")
    assert refused.returncode == 2
    assert "trials ask for no GPU" in refused.stderr
