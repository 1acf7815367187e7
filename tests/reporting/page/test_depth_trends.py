import numpy as np
import pytest

from harness.reporting.page.depth_trends import find_onset_depth, fit_slope_on_depth

NOISE = np.array([0.0, 0.1, -0.1, 0.05, -0.05])
ERRORS = np.array([2 + NOISE, 1 - NOISE, 1.8 + NOISE, 5 + NOISE])


def test_fit_slope_on_depth_has_one_slope_per_seed():
    slope = fit_slope_on_depth([10, 20, 30], [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    assert slope.n == 2
    assert (slope.mean, slope.min, slope.max) == pytest.approx((0.15, 0.1, 0.2))


def test_find_onset_depth_compares_with_the_best_shallower_depth():
    onset = find_onset_depth([8, 14, 20, 32], ERRORS)
    assert (onset.depth, onset.best_shallower) == (20, 14)
    assert onset.difference.effect == pytest.approx(0.8)


def test_find_onset_depth_without_a_worse_depth_is_none():
    assert find_onset_depth([8, 14], ERRORS[:2]) is None


def test_find_onset_depth_needs_spread():
    assert find_onset_depth([8, 14], [[1.0] * 5, [2.0] * 5]) is None


@pytest.mark.parametrize(
    ("function", "depths", "words"),
    [(fit_slope_on_depth, [10], "two depths"), (find_onset_depth, [14, 8], "depths must rise")],
)
def test_depths_that_are_too_few_or_do_not_rise_are_refused(function, depths, words):
    with pytest.raises(ValueError, match=words):
        function(depths, ERRORS[: len(depths)])
