import math

import numpy as np
import pytest
from scipy import stats

from harness.reporting.statistics.intervals import Estimate, estimate_mean, estimate_ratio
from harness.reporting.statistics.sign_flip_test import sign_flip_p_value


def test_estimate_mean_gives_the_t_interval_of_scipy():
    x = np.array([1.0, 2.0, 4.0, 5.0, 9.0])
    estimate = estimate_mean(x)
    low, high = stats.t.interval(0.95, 4, loc=x.mean(), scale=stats.sem(x))
    assert (estimate.n, estimate.mean, estimate.min, estimate.max) == (5, 4.2, 1.0, 9.0)
    assert (estimate.sd, estimate.low, estimate.high) == pytest.approx((x.std(ddof=1), low, high))


def test_estimate_mean_of_one_seed_has_no_spread_and_no_interval():
    assert estimate_mean([3.0]) == Estimate(1, 3.0, None, None, None, 3.0, 3.0)


@pytest.mark.parametrize(
    ("values", "has_no_spread"), [([3.0], False), ([0.1 + 0.2, 0.3], True), ([0.3, 0.3001], False)]
)
def test_has_no_spread_needs_several_seeds_and_ignores_rounding(values, has_no_spread):
    assert estimate_mean(values).has_no_spread is has_no_spread


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf, 1.0], [[1.0], [2.0]]])
@pytest.mark.parametrize("function", [estimate_mean, lambda values: sign_flip_p_value(values, "greater")])
def test_values_that_are_empty_or_not_finite_are_refused(function, values):
    with pytest.raises(ValueError, match="finite"):
        function(values)


def test_estimate_ratio_gives_the_interval_of_the_logarithms():
    a, b = [1.0, 2.0, 4.0], [2.0, 2.0, 1.0]
    ratio, logs = estimate_ratio(a, b), estimate_mean(np.log([0.5, 1.0, 4.0]))
    assert (ratio.mean, ratio.low, ratio.high) == pytest.approx(tuple(map(math.exp, (logs.mean, logs.low, logs.high))))
    assert (ratio.n, ratio.sd, ratio.min, ratio.max) == pytest.approx((3, logs.sd, 0.5, 4.0))


def test_interval_of_estimate_ratio_covers_the_true_ratio_in_95_percent():
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        ratio = estimate_ratio(np.exp(generator.normal(0.1, 0.05, 5)), np.exp(generator.normal(0, 0.05, 5)))
        hits += ratio.low <= np.exp(0.1) <= ratio.high
    assert 0.935 < hits / 2000 < 0.965


def test_estimate_ratio_of_unequal_lengths_is_refused():
    with pytest.raises(ValueError, match="equal lengths"):
        estimate_ratio([1.0, 2.0], [1.0])
