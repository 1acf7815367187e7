"""The means over a variant's seeds."""

from tracking.helpers import make_history

from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.metrics import METRICS
from harness.tracking.mlflow_record.seed_means import compute_seed_means


def test_seed_means_have_only_the_epochs_that_all_seeds_have(study):
    finished = make_history(study.trials[0], epochs=3)
    diverged = make_history(study.trials[1], epochs=1, outcome=TrialStatus.DIVERGED)
    rows = list(compute_seed_means([finished, diverged]))
    assert {step for key, _, _, step in rows if key == "train/error"} == {1}
    assert ("seeds/diverged", 1.0) in {(key, value) for key, value, _, _ in rows}


def test_seed_means_leave_out_values_that_are_not_finite(study):
    rows = compute_seed_means([make_history(study.trials[0])])
    assert "grad/first" not in {key for key, *_ in rows}


def test_seed_means_have_keys_of_the_table_of_metrics(study):
    assert {key for key, *_ in compute_seed_means([make_history(study.trials[0])])} <= set(METRICS)


def test_seed_means_of_unlike_networks_are_left_out(study):
    first, second = make_history(study.trials[0]), make_history(study.trials[1])
    assert list(compute_seed_means([first, second]))
    second.costs["cost/params"] = 7
    assert list(compute_seed_means([first, second])) == []
