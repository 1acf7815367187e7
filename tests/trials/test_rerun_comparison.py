"""The comparison of a rerun with the earlier training, bit for bit."""

import pytest

from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import Epoch, History
from harness.trials.rerun_comparison import differing_settings, first_difference

ERROR = 12.3456789


@pytest.fixture
def make_history(one_seed_study):
    """Return a function that makes a history of two epochs."""
    trial = one_seed_study.trials[0]

    def make(error=ERROR, epochs=(1, 2), outcome=TrialStatus.FINISHED, seconds=1.0, **provenance):
        metrics = {"test/error": error, "time/train_s": seconds}
        measured = tuple(Epoch(epoch=number, at=number, metrics=metrics) for number in epochs)
        return History(id=trial.id, trial=trial, outcome=outcome, epochs=measured, provenance=provenance)

    return make


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({}, ""),
        ({"seconds": 9.0}, ""),
        ({"error": 1.0}, f"epoch 1: test/error was {ERROR!r}, is 1.0"),
        ({"epochs": (1,)}, "only the earlier training measured epoch 2"),
        ({"epochs": (1, 2, 3)}, "only the rerun measured epoch 3"),
        ({"outcome": TrialStatus.DIVERGED}, "the earlier training ended as finished, the rerun as diverged"),
    ],
)
def test_first_difference_names_epoch_and_metric_and_ignores_times(make_history, changes, difference):
    assert first_difference(make_history(), make_history(**changes)) == difference


def test_differing_settings_are_those_that_may_change_a_result(make_history):
    before = make_history(device="A", threads=1, attempts=1)
    after = make_history(device="B", threads=1, attempts=2)
    assert differing_settings(before, after) == ["device: A -> B"]
