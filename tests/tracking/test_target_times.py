"""The time to a target: at evaluation granularity, censored at the end of the budget."""

import math

import numpy as np
import pandas as pd
import pytest

from harness.specs.experiment.targets import Target
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.target_times import find_target_times

NAN = float("nan")


def table(errors, outcome=TrialStatus.FINISHED, shared=False, first_epoch=1):
    """Return rows of one trial whose test error at each epoch is given, with half a second per epoch."""
    epochs = np.arange(first_epoch, first_epoch + len(errors))
    return pd.DataFrame(
        {
            "trial": "a" * 12,
            "variant": "net",
            "seed": 3,
            "outcome": outcome,
            "epoch": epochs,
            "test/error": errors,
            "time/train_s": 0.5 * epochs,
            "shared": shared,
            **dict.fromkeys(("device", "software", "precision", "memory_format", "kernels", "threads"), "x"),
        }
    )


@pytest.mark.parametrize(
    ("errors", "reached", "epochs"),
    [
        ([9.0, 5.0, 4.0], True, 2),
        ([9.0, 6.0, 7.0], False, 3),
        # The error was not evaluated at epoch 2, so it is not known to be reached before epoch 3.
        ([9.0, NAN, 4.0], True, 3),
        # It counts when it is first reached, also if it rises again.
        ([4.0, 9.0, 9.0], True, 1),
    ],
)
def test_time_is_that_of_the_first_evaluated_epoch_with_the_error(errors, reached, epochs):
    (time,) = find_target_times(table(errors), Target(value=5.0))
    assert (time.reached, time.epochs, time.seconds) == (reached, epochs, 0.5 * epochs)
    assert (time.variant, time.seed) == ("net", 3)


def test_error_that_equals_the_target_but_for_rounding_reaches_it():
    (time,) = find_target_times(table([100 * 18 / 360]), Target(value=5.0))
    assert time.reached


def test_seconds_of_a_shared_device_are_not_known_for_a_comparison():
    (time,) = find_target_times(table([9.0, 5.0], shared=True), Target(value=5.0))
    assert math.isnan(time.time("seconds")) and time.time("epochs") == 2


def test_diverged_trial_never_reaches_a_target_that_it_had_not_reached():
    rows = table([9.0, NAN], TrialStatus.DIVERGED)
    (time,) = find_target_times(rows, Target(value=5.0))
    assert (time.reached, time.epochs, time.seconds) == (False, math.inf, math.inf)
    (time,) = find_target_times(table([4.0, NAN], TrialStatus.DIVERGED), Target(value=5.0))
    assert (time.reached, time.epochs) == (True, 1)


def test_trial_without_the_metric_has_no_time():
    assert find_target_times(table([NAN, NAN]), Target(value=5.0)) == []
