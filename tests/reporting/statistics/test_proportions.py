import pytest
from scipy import stats

from harness.reporting.statistics.proportions import binomial_interval, probability_interval, share_bound


def test_binomial_interval_without_wrong_images_is_the_closed_form():
    assert binomial_interval(0, 1438) == pytest.approx((0.0, 100 * (1 - 0.025 ** (1 / 1438))))


def test_binomial_interval_equals_the_quantiles_of_the_beta_distribution():
    expected = (100 * stats.beta.ppf(0.025, 9, 351), 100 * stats.beta.ppf(0.975, 10, 350))
    assert binomial_interval(9, 359) == pytest.approx(expected)


def test_probability_interval_without_ties_is_exact():
    expected = stats.binomtest(6, 8).proportion_ci(0.95, method="exact")
    assert probability_interval(6, 0, 8) == pytest.approx((expected.low, expected.high))


def test_probability_interval_with_ties_takes_both_of_their_extremes():
    assert probability_interval(5, 2, 8) == (probability_interval(5, 0, 8)[0], probability_interval(7, 0, 8)[1])


@pytest.mark.parametrize(("on_side", "n", "bound"), [(8, 8, 1 - 0.05 ** (1 / 8)), (16, 16, 1 - 0.05 ** (1 / 16))])
def test_seeds_that_all_agree_leave_a_share_of_other_seeds_possible(on_side, n, bound):
    assert share_bound(on_side, n) == pytest.approx(bound)


def test_share_bound_is_the_upper_end_of_the_exact_interval():
    expected = stats.binomtest(2, 8, alternative="less").proportion_ci(0.95, "exact").high
    assert share_bound(6, 8) == pytest.approx(expected)
    assert (share_bound(0, 8), round(share_bound(8, 8), 2)) == (1.0, 0.31)
