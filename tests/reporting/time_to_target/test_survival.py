"""The Kaplan-Meier median, against values worked out by hand and against the plain median without censoring."""

import math

import numpy as np
import pytest

from harness.reporting.time_to_target.survival import summarise_times


@pytest.mark.parametrize(
    ("times", "reached", "median"),
    [
        ([3, 5, 7], [True, True, True], 5),
        # 4/5, then 3/4 of it, then 2/3 of it: 0.4 at 7.
        ([3, 5, 7, 10, 10], [True, True, True, False, False], 7),
        ([3, 10, 10, 10], [True, False, False, False], None),
        ([10, 10], [False, False], None),
        # A trial that was censored at 4 is not at risk at 5: the estimate is 3/4, then 1/2 at 5.
        ([3, 4, 5, 6, 6], [True, False, True, True, True], 6),
        # Only the slowest trial reached it, when the others' budgets had ended: the estimate would be 0 from 44 on.
        ([36, 40, 44], [False, False, True], None),
        ([2, 2, math.inf, math.inf], [True, True, False, False], 2),
    ],
)
def test_median_counts_censored_trials_as_waiting(times, reached, median):
    summary = summarise_times(times, reached)
    assert summary.median == median
    assert (summary.reached, summary.n) == (sum(reached), len(times))


def test_censored_times_are_not_averaged_and_not_in_the_range():
    summary = summarise_times([3, 5, 10], [True, True, False])
    assert (summary.first, summary.last) == (3, 5)


def test_median_without_censoring_is_the_sample_median():
    generator = np.random.default_rng(3)
    for _ in range(50):
        times = generator.integers(1, 30, 9)
        assert summarise_times(times, [True] * 9).median == np.median(times)
