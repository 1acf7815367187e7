"""Coverage of intervals and type-I error of tests, over simulated experiments.

Every test draws 20,000 experiments and applies the project's own formulas along the last axis. A share must be nominal
within four standard errors of the simulation.
"""

import math

import numpy as np
import pytest

from harness.reporting.statistics.comparisons import compare_pairs
from harness.reporting.statistics.intervals import estimate_mean, t_interval
from harness.reporting.statistics.multiple_testing import adjust_p_values
from harness.reporting.statistics.proportions import probability_interval
from harness.reporting.statistics.sign_flip_test import sign_flip_p_value, sign_flip_p_values

EXPERIMENTS = 20_000
LEVEL = 0.05
SIZES = pytest.mark.parametrize("n", [5, 8])
SIDES = pytest.mark.parametrize("side", ["less", "greater", "two-sided"])


def is_near(share, nominal):
    return abs(share - nominal) <= 4 * math.sqrt(nominal * (1 - nominal) / EXPERIMENTS)


def is_at_most(share, nominal):
    return share <= nominal or is_near(share, nominal)


def draw_pairs(n, correlation, seed, effect=0.0):
    """Return both sides (experiments, n) of a paired comparison with standard deviation 1."""
    generator = np.random.default_rng([seed, n])
    shared, a, b = generator.normal(size=(3, EXPERIMENTS, n))
    own = math.sqrt(1 - correlation)
    return 3 + effect + math.sqrt(correlation) * shared + own * a, 3 + math.sqrt(correlation) * shared + own * b


def attainable_level(level, n, side):
    """Return the largest p of the sign-flip test of n pairs that is at most ``level``."""
    step = (2 if side == "two-sided" else 1) / 2**n
    return math.floor(level / step + 1e-9) * step


@SIZES
def test_t_interval_of_a_mean_covers(n):
    x = 20 + 15 * np.random.default_rng(n).normal(size=(EXPERIMENTS, n))
    _, _, low, high = t_interval(x)
    assert is_near(np.mean((low <= 20) & (high >= 20)), 0.95)
    estimate = estimate_mean(x[7])
    assert (estimate.low, estimate.high) == (low[7], high[7])


@SIZES
@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_t_interval_of_a_paired_difference_covers(n, correlation):
    a, b = draw_pairs(n, correlation, seed=1, effect=0.7)
    _, _, low, high = t_interval(a - b)
    assert is_near(np.mean((low <= 0.7) & (high >= 0.7)), 0.95)
    comparison = compare_pairs(a[7], b[7])
    assert (comparison.low, comparison.high) == (low[7], high[7])


@SIZES
@SIDES
@pytest.mark.parametrize("level", [0.05, 0.0625, 0.1, 0.25, 0.5])
def test_sign_flip_test_rejects_as_often_as_its_attainable_level(n, side, level):
    a, b = draw_pairs(n, 0.5, seed=3)
    p = sign_flip_p_values(a - b, side)
    assert is_near(np.mean(p <= level), attainable_level(level, n, side))


@SIZES
@SIDES
def test_sign_flip_p_values_equal_those_of_single_experiments(n, side):
    a, b = draw_pairs(n, 0.5, seed=3)
    differences = (a - b)[:50]
    p = sign_flip_p_values(differences, side)
    assert [sign_flip_p_value(row, side) for row in differences] == p.tolist()


@SIZES
@SIDES
def test_sign_flip_test_keeps_its_level_for_skewed_errors_with_ties(n, side):
    """Both sides have the same distribution, so their differences are symmetric; no normal distribution is needed."""
    a, b = np.round(np.random.default_rng([4, n]).gamma(0.5, 2.0, (2, EXPERIMENTS, n)) * 3) / 3
    share = np.mean(sign_flip_p_values(a - b, side) <= LEVEL)
    assert is_at_most(share, attainable_level(LEVEL, n, side))


@SIZES
def test_non_inferiority_at_the_margin_is_claimed_at_the_level(n):
    a, b = draw_pairs(n, 0.3, seed=5, effect=0.5)
    share = np.mean(sign_flip_p_values(a - b, "less", shift=0.5) <= LEVEL)
    assert is_near(share, attainable_level(LEVEL, n, "less"))


@SIZES
def test_non_inferiority_beyond_the_margin_is_claimed_less_often(n):
    a, b = draw_pairs(n, 0.3, seed=5, effect=0.8)
    share = np.mean(sign_flip_p_values(a - b, "less", shift=0.5) <= LEVEL)
    assert share < attainable_level(LEVEL, n, "less")


def family_error(ps, level=LEVEL):
    """Return the share of experiments in which Holm's method rejects any of their p values (experiments, contrasts)."""
    return np.mean([min(adjust_p_values(row)) <= level for row in ps.tolist()])


@SIZES
def test_family_error_of_independent_sign_flip_tests_is_that_of_holms_first_step(n):
    """With three contrasts the first step has a third of the level, which five pairs cannot attain."""
    differences = np.random.default_rng([7, n]).normal(size=(3, EXPERIMENTS, n))
    ps = np.stack([sign_flip_p_values(d, "greater") for d in differences], axis=-1)
    first_step = attainable_level(LEVEL / 3, n, "greater")
    assert first_step == {5: 0, 8: 4 / 256}[n]
    assert is_near(family_error(ps), 1 - (1 - first_step) ** 3)


@SIZES
def test_family_error_of_contrasts_with_a_common_baseline_keeps_the_level(n):
    generator = np.random.default_rng([9, n])
    baseline, others = generator.normal(size=(EXPERIMENTS, n)), generator.normal(size=(3, EXPERIMENTS, n))
    ps = np.stack([sign_flip_p_values(other - baseline, "less") for other in others], axis=-1)
    assert is_at_most(family_error(ps), LEVEL)


@SIZES
@pytest.mark.parametrize("ties", [0.0, 0.4])
@pytest.mark.parametrize("less", [0.5, 0.9])
def test_probability_interval_covers_at_least_as_often_as_stated(n, ties, less):
    shares = [less * (1 - ties), ties, (1 - less) * (1 - ties)]
    truth = shares[0] + ties / 2
    counts = np.random.default_rng([10, n]).multinomial(n, shares, size=EXPERIMENTS)
    covers = {
        (lower, tied): low <= truth <= high
        for lower in range(n + 1)
        for tied in range(n + 1 - lower)
        for low, high in [probability_interval(lower, tied, n)]
    }
    share = np.mean([covers[lower, tied] for lower, tied, _ in counts.tolist()])
    assert share >= 0.95 or is_near(share, 0.95)
