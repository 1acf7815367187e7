import numpy as np
import pytest
from scipy import stats

from harness.reporting.statistics.sample_size import POWER, SeedsRange, joint_power, seeds_needed
from harness.reporting.statistics.stage_test import run_stage_tests

SPREAD = np.array([-1.5, -1.0, -0.5, 0.0, 0.0, 0.5, 1.0, 1.5])
SPREAD = SPREAD / SPREAD.std(ddof=1)
"""Eight differences with standard deviation 1."""


@pytest.mark.parametrize(("n", "effect"), [(8, 1.0), (20, 0.6), (80, 0.3)])
def test_power_of_one_test_is_that_of_the_noncentral_t_distribution(n, effect):
    exact = stats.nct.sf(stats.t.ppf(0.95, n - 1), n - 1, effect * np.sqrt(n))
    power = joint_power(np.ones((1, 1)), np.array([effect]), np.array([0.05]), n)
    assert power == pytest.approx(exact, abs=0.015)


@pytest.mark.parametrize("effect", [0.4, 0.6, 1.0])
def test_the_likely_number_is_the_smallest_with_the_power(effect):
    n = seeds_needed([SPREAD], [effect], [0.05]).likely
    power = {k: stats.nct.sf(stats.t.ppf(0.95, k - 1), k - 1, effect * np.sqrt(k)) for k in (n - 2, n + 2)}
    assert power[n + 2] >= POWER > power[n - 2] or n == 8


def test_correlated_tests_need_fewer_seeds_than_independent_ones():
    generator = np.random.default_rng(1)
    shared, own = generator.normal(size=8), generator.normal(size=(4, 8))
    correlated, independent = shared + 0.1 * own, own / own.std(axis=1, ddof=1, keepdims=True)
    correlated = correlated / correlated.std(axis=1, ddof=1, keepdims=True)
    one, together, apart = (
        seeds_needed(x, [0.5] * len(x), [0.05] * len(x)).likely for x in (correlated[:1], correlated, independent)
    )
    assert one <= together < apart


def test_a_component_with_a_bound_far_away_needs_no_further_seeds():
    alone, both = seeds_needed([SPREAD], [0.5], [0.05]), seeds_needed([SPREAD, SPREAD[::-1]], [0.5, 50.0], [0.05, 0.05])
    assert (both.low, both.likely, both.high) == pytest.approx((alone.low, alone.likely, alone.high), abs=2)


def test_range_follows_the_interval_of_the_standard_deviation():
    wide, narrow = seeds_needed([SPREAD], [0.5], [0.05]), seeds_needed([np.tile(SPREAD, 8)], [0.5], [0.05])
    assert wide.low < wide.likely < wide.high
    assert wide.low < narrow.low <= narrow.high < wide.high
    # The upper end of the 80 % interval of a standard deviation with 7 degrees of freedom.
    assert wide.high == seeds_needed([SPREAD * np.sqrt(7 / stats.chi2.ppf(0.1, 7))], [0.5], [0.05]).likely


def test_the_level_may_need_more_seeds_than_the_power():
    assert seeds_needed([np.zeros(8)], [0.5], [0.05]) == SeedsRange(8, 8, 8)
    assert seeds_needed([np.zeros(8)], [0.5], [0.001]) == SeedsRange(10, 10, 10)


def test_a_number_beyond_all_experiments_is_cut():
    assert seeds_needed([SPREAD], [1e-4], [0.05]).high == 10_000


@pytest.mark.parametrize(("differences", "distance"), [([[1.0]], 0.5), ([[1.0, np.nan]], 0.5), ([[1.0, 2.0]], 0.0)])
def test_missing_values_are_refused(differences, distance):
    with pytest.raises(ValueError, match="expected finite differences"):
        seeds_needed(differences, [distance], [0.05])


@pytest.mark.slow
def test_so_many_seeds_decide_at_the_stated_power():
    """Two correlated tests, decided by the sign-flip test in 2,000 experiments."""
    generator = np.random.default_rng(2)
    covariance = np.array([[1.0, 0.6], [0.6, 2.0]])
    seen = np.linalg.cholesky(covariance) @ stats.norm.ppf((np.argsort(generator.normal(size=(2, 40))) + 0.5) / 40)
    seen = np.linalg.cholesky(covariance) @ np.linalg.solve(np.linalg.cholesky(np.cov(seen)), seen)
    n = seeds_needed(seen, [0.8, 1.0], [0.05, 0.025]).likely
    x = generator.multivariate_normal([0.8, 1.0], covariance, (2_000, n))
    passes = [
        run_stage_tests(x[..., i], "greater", 0.0, [n], [level], exact_pairs=10, flips=1_999).stage > 0
        for i, level in enumerate((0.05, 0.025))
    ]
    assert abs(np.mean(passes[0] & passes[1]) - POWER) <= 0.04
