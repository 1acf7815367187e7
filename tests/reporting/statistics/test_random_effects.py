"""The mean of an effect over data sets: exact values, its interval's coverage, and that of the prediction interval."""

import math

import numpy as np
import pytest
from scipy import stats

from harness.reporting.statistics.random_effects import estimate_random_effects, estimate_tau_squared

RUNS, SEEDS = 500, 8


def test_effects_that_scatter_give_the_t_interval_of_their_mean():
    # With equal standard errors the method is exact: the interval is Student's t over the data sets.
    effects = np.array([1.0, 3.0, 5.0])
    result = estimate_random_effects(effects, [0.1] * 3)
    half = stats.t.ppf(0.975, 2) * effects.std(ddof=1) / math.sqrt(3)
    assert (result.low, result.mean, result.high) == pytest.approx((3 - half, 3.0, 3 + half))
    assert result.tau == pytest.approx(math.sqrt(4 - 0.01))
    half = stats.t.ppf(0.975, 1) * math.sqrt(4 - 0.01 + 4 / 3)
    assert (result.next_low, result.next_high) == pytest.approx((3 - half, 3 + half))


def test_tau_squared_makes_q_equal_to_its_degrees_of_freedom():
    effects, errors = np.array([0.2, 1.4, -0.3, 2.5]), np.array([0.3, 0.2, 0.5, 0.9])
    weights = 1 / (errors**2 + estimate_tau_squared(effects, errors))
    mean = (weights * effects).sum() / weights.sum()
    assert (weights * (effects - mean) ** 2).sum() == pytest.approx(3.0)


def test_effects_that_agree_do_not_give_a_narrower_interval_than_their_standard_errors():
    result = estimate_random_effects([2.0, 2.0], [1.0, 1.0])
    assert result.tau == 0
    assert result.high - result.mean == pytest.approx(stats.t.ppf(0.975, 1) / math.sqrt(2))


def test_two_data_sets_give_an_interval_of_twelve_standard_errors():
    result = estimate_random_effects([1.0, 5.0], [0.01, 0.01])
    assert (result.high - result.mean) / 2.0 == pytest.approx(12.706, abs=0.01)
    assert result.next_high > result.high


def test_precise_data_set_counts_more_where_effects_do_not_scatter():
    assert estimate_random_effects([0.0, 1.0, 0.5], [0.1, 10.0, 10.0]).mean == pytest.approx(0.0, abs=0.01)


def test_one_data_set_has_no_mean_over_data_sets():
    assert estimate_random_effects([1.0], [0.1]) is None


@pytest.mark.parametrize(
    ("effects", "errors"), [([1.0, 2.0], [0.0, 1.0]), ([1.0], [1.0, 2.0]), ([math.nan, 1.0], [1.0, 1.0]), ([], [])]
)
def test_values_that_are_no_effects_are_refused(effects, errors):
    with pytest.raises(ValueError, match=r"."):
        estimate_random_effects(effects, errors)


@pytest.mark.parametrize(
    ("data_sets", "tau", "mean_range", "next_range"),
    [
        (2, 2.0, (0.97, 1.0), (0.93, 1.0)),
        (3, 0.5, (0.95, 1.0), (0.97, 1.0)),
        (5, 2.0, (0.925, 0.975), (0.92, 0.98)),
        # The known weak point: where data sets differ less than seeds do, tau is often estimated as zero.
        (10, 0.5, (0.92, 0.97), (0.85, 0.95)),
        (10, 2.0, (0.925, 0.975), (0.91, 0.97)),
    ],
)
def test_intervals_cover_the_mean_and_the_next_data_set(data_sets, tau, mean_range, next_range):
    generator = np.random.default_rng([data_sets, int(10 * tau)])
    covered = np.zeros(2)
    for _ in range(RUNS):
        truth = generator.normal(1.0, tau, data_sets + 1)
        values = generator.normal(truth[:-1, None], generator.uniform(0.5, 3.0, (data_sets, 1)), (data_sets, SEEDS))
        result = estimate_random_effects(values.mean(axis=1), values.std(axis=1, ddof=1) / math.sqrt(SEEDS))
        covered += (result.low <= 1.0 <= result.high, result.next_low <= truth[-1] <= result.next_high)
    shares = covered / RUNS
    assert mean_range[0] <= shares[0] <= mean_range[1]
    assert next_range[0] <= shares[1] <= next_range[1]
