import numpy as np
import pytest
from scipy import stats

from harness.reporting.diff.welch_test import compare_groups, welch_p_value

A, B = [1.0, 2.0, 4.0, 8.0], [2.0, 2.5, 9.0]


@pytest.mark.parametrize("side", ["less", "greater", "two-sided"])
def test_welch_p_value_equals_scipy(side):
    expected = stats.ttest_ind(A, B, equal_var=False, alternative=side).pvalue
    assert welch_p_value([A, B], [1, -1], side) == pytest.approx(expected)


def test_welch_p_value_with_a_shift_equals_scipy_on_shifted_data():
    expected = stats.ttest_ind(A, np.array(B) + 2, equal_var=False, alternative="less").pvalue
    assert welch_p_value([A, B], [1, -1], "less", shift=2.0) == pytest.approx(expected)


def test_compare_groups_gives_the_interval_of_scipy_and_the_smallest_group():
    expected = stats.ttest_ind(A, B, equal_var=False).confidence_interval(0.95)
    comparison = compare_groups([A, B], [1, -1])
    assert (comparison.low, comparison.high) == pytest.approx((expected.low, expected.high))
    assert (comparison.n, comparison.method) == (3, "welch")


def test_welch_p_value_without_spread_is_that_of_the_sign_flip_test():
    assert welch_p_value([[0.0] * 8, [0.0] * 9], [1, -1], "less", shift=0.5) == 1 / 256


def test_a_group_of_one_seed_has_no_interval_and_p_one():
    groups = [[0.0], [0.0] * 9]
    assert compare_groups(groups, [1, -1]).low is None
    assert welch_p_value(groups, [1, -1], "less", shift=0.5) == 1.0
