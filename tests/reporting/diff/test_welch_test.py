import numpy as np
import pytest
from scipy import stats

from harness.reporting.diff.welch_test import compare_groups, welch_interval, welch_p_value, welch_p_values

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


@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_welchs_interval_covers_and_its_test_keeps_its_level_over_simulated_groups(spread):
    """20,000 times eight and seven seeds; a share may be off by four standard errors of the simulation."""
    generator = np.random.default_rng(2)
    a, b = generator.normal(0.7, 1, (20_000, 8)), generator.normal(0.7, spread, (20_000, 7))
    _, _, low, high = welch_interval([a, b], [1, -1])
    assert np.mean((low <= 0) & (high >= 0)) == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 20_000) ** 0.5)
    p = welch_p_values([a, b], [1, -1], "two-sided")
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=4 * (0.95 * 0.05 / 20_000) ** 0.5)
    assert [welch_p_value([x, y], [1, -1], "two-sided") for x, y in zip(a[:9], b[:9], strict=True)] == pytest.approx(
        p[:9]
    )
