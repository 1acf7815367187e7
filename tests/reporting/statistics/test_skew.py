import numpy as np
import pytest
from scipy import stats

from harness.reporting.statistics.sign_flip_test import sign_flip_p_value
from harness.reporting.statistics.skew import (
    LONG_TAIL,
    find_skew_against,
    is_skewed_against,
    robust_p_value,
    robust_p_values,
)

RIGHT_TAIL = [0.0, 0.1, 0.1, 0.2, 0.2, 0.2, 0.3, 3.0]
LEFT_TAIL = [-value for value in RIGHT_TAIL]


@pytest.mark.parametrize(("n", "share"), [(8, 0.2), (12, 0.155), (16, 0.127), (32, 0.06)])
def test_the_check_doubts_few_normal_samples_and_fewer_with_more_pairs(n, share):
    x = np.random.default_rng(n).normal(size=(20_000, n))
    for side in ("less", "greater"):
        assert abs(find_skew_against(x, side).mean() - share) < 0.012


@pytest.mark.parametrize(("n", "share"), [(8, 0.745), (16, 0.92), (32, 0.985)])
def test_the_check_finds_most_skewed_samples_and_more_with_more_pairs(n, share):
    x = np.random.default_rng(n).exponential(size=(20_000, n))
    assert abs(find_skew_against(x, "less").mean() - share) < 0.012
    assert find_skew_against(x, "greater").mean() < 0.02


@pytest.mark.parametrize("n", [2, 7, 8])
def test_a_tail_is_the_distance_of_the_median_from_an_end(n):
    x = np.random.default_rng(n).normal(size=(50, n))
    upper, lower = x.max(axis=1) - np.median(x, axis=1), np.median(x, axis=1) - x.min(axis=1)
    assert find_skew_against(x, "less").tolist() == (upper > LONG_TAIL * lower).tolist()
    assert find_skew_against(x, "greater").tolist() == (lower > LONG_TAIL * upper).tolist()


def test_a_long_tail_is_against_the_side_from_which_it_points_away():
    assert [is_skewed_against(RIGHT_TAIL, side) for side in ("less", "greater")] == [True, False]
    assert [is_skewed_against(LEFT_TAIL, side) for side in ("less", "greater")] == [False, True]


@pytest.mark.parametrize("values", [[-3.0, -1.0, -0.5, 0.0, 0.0, 0.5, 1.0, 3.0], [0.0] * 8, [0.07] * 8])
def test_symmetric_and_equal_differences_have_no_long_tail(values):
    assert not any(is_skewed_against(values, side) for side in ("less", "greater"))


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


@pytest.mark.parametrize(("value", "p"), [(0.2, 1 / 256), (0.5, 1.0), (0.7, 1.0)])
def test_robust_p_without_spread_is_that_of_the_signs(value, p):
    assert robust_p_value([value] * 8, "less", 0.5) == p


def test_robust_p_falls_where_the_effect_moves_away_from_the_bound():
    """Johnson's correction alone rises again: with all seeds far below a margin it would doubt that they are."""
    x = np.array([0.0, 0.01, 0.01, 0.02, 0.02, 0.03, 0.05, 0.35])
    ps = [robust_p_value(x, "less", margin) for margin in (0.1, 0.2, 0.4, 1.0, 5.0)]
    assert ps == sorted(ps, reverse=True)
    assert ps[-1] == 1 / 256
