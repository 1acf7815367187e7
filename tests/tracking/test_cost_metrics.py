"""Which measured costs belong to a trial."""

import pytest
from reporting_helpers import PROVENANCE, make_study

from harness.errors import HarnessError
from harness.specs.measured_cost import CONDITIONS, CostSetting, MeasuredCost
from harness.tracking.cost_metrics import parse_cost, select_trial_costs, summarise_cost
from harness.tracking.metrics import METRICS

SETTING = {"size": (8, 8), "batch": 1}
TRIAL_PROVENANCE = {**PROVENANCE, "kernels": "deterministic"}


def make_cost(study, repeats=5, variant=0, conditions=None, busy="", seconds=2e-3, **setting):
    """Return a measured cost whose every step took ``seconds``."""
    phase = {"first_s": 1.0, "turns": [[seconds] * 3] * 4, "host_bytes": 10, "busy": busy}
    measured_under = {key: TRIAL_PROVENANCE[key] for key in CONDITIONS} | (conditions or {})
    fields = CostSetting.of_trials(study.experiment.recipe, study.experiment.execution, **{**SETTING, **setting})
    repeat = {
        "batch": fields.batch,
        "inference": phase,
        "training": phase,
        "peak_flops": 1e9,
        "conditions": measured_under,
    }
    return MeasuredCost.model_validate(
        {"label": "x", "variant": study.variants[variant], "setting": fields, "macs": 1, "repeats": [repeat] * repeats}
    )


@pytest.fixture(scope="module")
def quickstart_study():
    return make_study()


def select_costs(study, *costs):
    return select_trial_costs(study.variants[0], study.experiment.recipe, TRIAL_PROVENANCE, study, costs)


def test_select_trial_costs_takes_the_latency_of_one_image(quickstart_study):
    assert select_costs(quickstart_study, make_cost(quickstart_study)) == {
        "bench/latency_s": 2e-3,
        "bench/latency_sd_s": 0.0,
        "bench/latency_n": 5.0,
    }


def test_select_trial_costs_takes_the_step_of_the_recipe(quickstart_study):
    costs = select_costs(quickstart_study, make_cost(quickstart_study, batch=128, seconds=0.1))
    assert costs["bench/step_s"] == pytest.approx(0.1)
    assert costs["bench/peak_bytes"] == 10.0
    assert "bench/latency_s" not in costs


@pytest.mark.parametrize("key", CONDITIONS)
def test_select_trial_costs_leaves_out_other_conditions(quickstart_study, key):
    assert select_costs(quickstart_study, make_cost(quickstart_study, conditions={key: "another"})) == {}


@pytest.mark.parametrize(
    "other",
    [
        {"busy": "others used 1.0 cores"},
        {"repeats": 4},
        {"variant": 1},
        {"size": (16, 16)},
        {"batch": 64},
        {"batch": 128, "optimiser": "adamw"},
        {"batch": 128, "micro_batch": 64},
        {"batch": 128, "clip_grad_norm": 1.0},
    ],
    ids=str,
)
def test_select_trial_costs_leaves_out_what_was_measured_otherwise(quickstart_study, other):
    assert select_costs(quickstart_study, make_cost(quickstart_study, **other)) == {}


def test_select_trial_costs_takes_all_values_of_the_newest(quickstart_study):
    study = quickstart_study
    costs = select_costs(study, make_cost(study, repeats=8), make_cost(study, repeats=5, seconds=3e-3))
    assert (costs["bench/latency_s"], costs["bench/latency_n"]) == (pytest.approx(3e-3), 5.0)


def test_summarise_cost_gives_means_that_the_table_of_metrics_names(quickstart_study):
    summary = summarise_cost(make_cost(quickstart_study, batch=128, seconds=0.1))
    assert set(summary) <= set(METRICS)
    assert summary["bench/images_per_s"] == pytest.approx(1280)
    assert summary["bench/processes"] == 5


def test_parse_cost_of_something_else_raises():
    with pytest.raises(HarnessError, match="cannot read this measured cost") as caught:
        parse_cost(b"{}", "the file")
    assert caught.value.where == "the file"
