import numpy as np
import pytest
from scipy import stats

from harness.reporting.statistics.sign_flip_test import sign_flip_p_value
from harness.reporting.statistics.skew import (
    CHECK_LEVEL,
    find_skew_against,
    is_skewed_against,
    is_symmetric,
    robust_p_value,
    robust_p_values,
)

RIGHT_TAIL = [0.0, 0.1, 0.1, 0.2, 0.2, 0.2, 0.3, 3.0]
LEFT_TAIL = [-value for value in RIGHT_TAIL]


@pytest.mark.parametrize("n", [8, 10, 12, 16, 24, 32])
def test_a_tail_of_normal_samples_is_called_long_as_often_as_declared(n):
    x = np.random.default_rng(n).normal(size=(20_000, n))
    for side in ("less", "greater"):
        assert abs(find_skew_against(x, side).mean() - CHECK_LEVEL) < 0.01
    assert not find_skew_against(np.ones((1, n)), "two-sided").any()


def test_a_long_tail_is_against_the_side_from_which_it_points_away():
    assert [is_skewed_against(RIGHT_TAIL, side) for side in ("less", "greater", "two-sided")] == [True, False, True]
    assert [is_skewed_against(LEFT_TAIL, side) for side in ("less", "greater", "two-sided")] == [False, True, True]
    assert not is_symmetric(RIGHT_TAIL)
    assert is_symmetric([-3.0, -1.0, -0.5, 0.0, 0.0, 0.5, 1.0, 3.0])


@pytest.mark.parametrize("value", [0.0, 0.07])
def test_equal_differences_have_no_tail(value):
    assert is_symmetric([value] * 8)


@pytest.mark.parametrize("side", ["less", "greater"])
def test_robust_p_is_at_least_that_of_wilcoxons_test(side):
    x = np.random.default_rng(1).normal(0.3, 1, (40, 9))
    wilcoxon = np.array([stats.wilcoxon(row - 0.1, alternative=side, method="exact").pvalue for row in x])
    p = robust_p_values(x, side, 0.1)
    assert (p >= wilcoxon - 1e-12).all()
    assert np.isclose(p, wilcoxon).any()


@pytest.mark.parametrize("side", ["less", "greater"])
def test_robust_p_of_a_sample_without_skew_is_at_least_that_of_the_t_test(side):
    x = np.array([-2.0, -1.0, -0.5, -0.1, 0.1, 0.5, 1.0, 2.0]) + 0.9
    t_test = stats.ttest_1samp(x, 0.0, alternative=side).pvalue
    wilcoxon = stats.wilcoxon(x, alternative=side, method="exact").pvalue
    assert robust_p_value(x, side, 0.0) == pytest.approx(max(t_test, wilcoxon))


def test_a_seed_far_away_makes_the_second_reading_doubt_what_the_first_one_claims():
    x = np.array([0.0, 0.01, 0.01, 0.02, 0.02, 0.03, 0.05, 0.35])
    assert sign_flip_p_value(x, "less", 0.2) <= 0.025
    assert is_skewed_against(x, "less")
    assert robust_p_value(x, "less", 0.2) > 0.025


def test_two_sided_p_doubles_the_smaller_one():
    x = np.random.default_rng(2).normal(0.5, 1, 10)
    both = [robust_p_value(x, side, 0.0) for side in ("less", "greater")]
    assert min(both) < robust_p_value(x, "two-sided", 0.0) <= 2 * max(both)


@pytest.mark.parametrize(("value", "p"), [(0.2, 1 / 256), (0.5, 1.0), (0.7, 1.0)])
def test_robust_p_without_spread_is_that_of_the_signs(value, p):
    assert robust_p_value([value] * 8, "less", 0.5) == p


def test_robust_p_falls_where_the_effect_moves_away_from_the_bound():
    """Johnson's correction alone rises again: with all seeds far below a margin it would doubt that they are."""
    x = np.array([0.0, 0.01, 0.01, 0.02, 0.02, 0.03, 0.05, 0.35])
    ps = [robust_p_value(x, "less", margin) for margin in (0.1, 0.2, 0.4, 1.0, 5.0)]
    assert ps == sorted(ps, reverse=True)
    assert ps[-1] == 1 / 256
