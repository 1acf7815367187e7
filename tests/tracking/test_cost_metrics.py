"""Which measured costs belong beside a trial."""

import pytest
from reporting.conftest import PROVENANCE, make_study

from harness.specs.measured_cost import CONDITIONS, CostSetting, MeasuredCost
from harness.tracking.cost_metrics import select_trial_costs

SETTING = {"size": (8, 8), "batch": 1}


def planted(study, repeats=5, variant=0, conditions=None, busy="", seconds=2e-3, **setting):
    phase = {"first_s": 1.0, "turns": [[seconds] * 3] * 4, "host_bytes": 10, "busy": busy}
    known = {key: {**PROVENANCE, "kernels": "deterministic"}[key] for key in CONDITIONS}
    fields = CostSetting.of_trials(study.experiment.recipe, study.experiment.execution, **{**SETTING, **setting})
    each = {
        "batch": fields.batch,
        "inference": phase,
        "training": phase,
        "peak_flops": 1e9,
        "conditions": {**known, **(conditions or {})},
    }
    return MeasuredCost.model_validate(
        {"label": "x", "variant": study.variants[variant], "setting": fields, "macs": 1, "repeats": [each] * repeats}
    )


@pytest.fixture(scope="module")
def quickstart_study():
    return make_study()


def found(study, *costs):
    return select_trial_costs(
        study.variants[0], study.experiment.recipe, {**PROVENANCE, "kernels": "deterministic"}, study, costs
    )


def test_latency_of_one_image_and_a_step_of_the_recipe(quickstart_study):
    s = quickstart_study
    assert found(s, planted(s)) == {"bench/latency_s": 2e-3, "bench/latency_sd_s": 0.0, "bench/latency_n": 5.0}
    step = found(s, planted(s, batch=128, seconds=0.1))
    assert step["bench/step_s"] == pytest.approx(0.1)
    assert step["bench/peak_bytes"] == 10.0
    assert "bench/latency_s" not in step
    assert found(s, planted(s, batch=64)) == {}


@pytest.mark.parametrize("key", CONDITIONS)
def test_nothing_is_joined_across_hardware_software_or_settings(quickstart_study, key):
    assert found(quickstart_study, planted(quickstart_study, conditions={key: "another"})) == {}


@pytest.mark.parametrize(
    "other",
    [
        {"busy": "others used 1.0 cores"},
        {"repeats": 4},
        {"variant": 1},
        {"size": (16, 16)},
        {"batch": 128, "optimiser": "adamw"},
        {"batch": 128, "micro_batch": 64},
        {"batch": 128, "clip_grad_norm": 1.0},
    ],
)
def test_nor_what_was_measured_otherwise(quickstart_study, other):
    assert "bench/step_s" not in found(quickstart_study, planted(quickstart_study, **other))
    assert "bench/latency_s" not in found(quickstart_study, planted(quickstart_study, **other))


def test_the_newest_counts_as_a_whole(quickstart_study):
    s = quickstart_study
    both = found(s, planted(s, repeats=8), planted(s, repeats=5, seconds=3e-3))
    assert (both["bench/latency_s"], both["bench/latency_n"]) == (pytest.approx(3e-3), 5.0)
