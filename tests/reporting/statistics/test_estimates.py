"""Estimates and tests against scipy, brute force and numbers worked out by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from harness.reporting.statistics.depth_trends import find_onset_depth, fit_slope_on_depth
from harness.reporting.statistics.proportions import binomial_interval, probability_interval
from harness.reporting.statistics.multiple_testing import adjust_p_values
from harness.reporting.statistics.intervals import estimate_mean
from harness.reporting.statistics.comparisons import compare_pairs
from harness.reporting.figures.pareto_front import find_pareto_front
from harness.reporting.statistics.sign_flip_test import sign_flip_p_value
from harness.reporting.statistics.welch_test import compare_groups, welch_p_value
from harness.reporting.statistics.sample_size import seeds_for_power
from harness.specs.experiment.interim_looks import seeds_to_reach


def brute_force(differences, side, shift=0.0):
    """The sign-flip p written out, in whole numbers so that ties are exact."""
    x = [round(1000 * (d - shift)) for d in differences]
    sums = [sum(s * v for s, v in zip(signs, x, strict=True)) for signs in itertools.product((1, -1), repeat=len(x))]
    extreme = {
        "greater": lambda t: t >= sum(x),
        "less": lambda t: t <= sum(x),
        "two-sided": lambda t: abs(t) >= abs(sum(x)),
    }[side]
    return sum(map(extreme, sums)) / len(sums)


def test_mean_interval_is_student_t():
    x = np.array([1.0, 2.0, 4.0, 5.0, 9.0])
    got = estimate_mean(x)
    low, high = stats.t.interval(0.95, 4, loc=x.mean(), scale=stats.sem(x))
    assert (got.n, got.mean, got.min, got.max) == (5, 4.2, 1.0, 9.0)
    assert (got.sd, got.low, got.high) == pytest.approx((x.std(ddof=1), low, high))


def test_one_seed_has_no_spread():
    assert estimate_mean([3.0]) == estimate_mean([3.0]).__class__(1, 3.0, None, None, None, 3.0, 3.0)
    assert not estimate_mean([3.0]).has_no_spread
    assert estimate_mean([0.1 + 0.2, 0.3]).has_no_spread


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf, 1.0], [[1.0], [2.0]]])
def test_what_is_not_finite_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        estimate_mean(values)
    with pytest.raises(ValueError, match="finite"):
        sign_flip_p_value(values, "greater")


def test_paired_counts_ties_half_and_keeps_the_pairing():
    got = compare_pairs([1.0, 2.0, 3.0, 0.1 + 0.2], [2.0, 2.0, 1.0, 0.3])
    assert got.probability == pytest.approx((1 + 0.5 + 0 + 0.5) / 4)
    assert got.effect == pytest.approx(0.25)
    assert compare_pairs([1.0, 2.0, 4.0], [2.0, 3.0, 5.0]).correlation == pytest.approx(1.0)
    assert compare_pairs([1.0, 1.0, 1.0], [2.0, 3.0, 5.0]).correlation is None
    reference = stats.ttest_rel([1.0, 2.0, 4.0, 7.0], [2.0, 2.5, 3.0, 1.0]).confidence_interval(0.95)
    got = compare_pairs([1.0, 2.0, 4.0, 7.0], [2.0, 2.5, 3.0, 1.0])
    assert (got.low, got.high) == pytest.approx((reference.low, reference.high))
    with pytest.raises(ValueError, match="pairs"):
        compare_pairs([1.0], [1.0, 2.0])


@pytest.mark.parametrize("side", ["less", "greater", "two-sided"])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_sign_flip_equals_brute_force(side, shift):
    generator = np.random.default_rng(3)
    for n in (1, 2, 5, 8):
        # Coarse values, so that sums tie as errors counted in images do.
        differences = generator.integers(-3, 5, n) * 0.1
        assert sign_flip_p_value(differences, side, shift) == brute_force(differences, side, shift)


def test_the_interval_of_p_a_below_b_is_exact_without_ties_and_wider_with_them():
    reference = stats.binomtest(6, 8).proportion_ci(0.95, method="exact")
    assert probability_interval(6, 0, 8) == pytest.approx((reference.low, reference.high))
    assert probability_interval(5, 2, 8) == (probability_interval(5, 0, 8)[0], probability_interval(7, 0, 8)[1])
    got = compare_pairs([1.0] * 7 + [3.0], [2.0] * 7 + [3.0])
    assert (got.probability_low, got.probability_high) == probability_interval(7, 1, 8)
    assert got.probability_low < got.probability == 7.5 / 8 < got.probability_high == 1.0


def test_sign_flip_by_hand():
    assert sign_flip_p_value([1.0] * 8, "greater") == 1 / 256
    assert sign_flip_p_value([1.0] * 8, "less") == 1.0
    assert sign_flip_p_value([1.0] * 8, "two-sided") == 2 / 256
    assert sign_flip_p_value([0.0] * 8, "greater") == 1.0
    assert sign_flip_p_value([0.2] * 8, "less", shift=0.5) == 1 / 256
    assert sign_flip_p_value([0.1, 0.2, -0.3], "greater") == 5 / 8


def test_many_pairs_are_sampled_from_a_fixed_seed():
    x = np.random.default_rng(1).normal(0.3, 1, 30)
    p = sign_flip_p_value(x, "greater")
    assert p == sign_flip_p_value(x, "greater")
    assert p == pytest.approx(stats.ttest_1samp(x, 0, alternative="greater").pvalue, abs=0.01)
    assert sign_flip_p_value(np.ones(30), "greater") == 1 / 100_001


def test_welch_equals_scipy():
    a, b = [1.0, 2.0, 4.0, 8.0], [2.0, 2.5, 9.0]
    for side in ("less", "greater", "two-sided"):
        assert welch_p_value([a, b], [1, -1], side) == pytest.approx(
            stats.ttest_ind(a, b, equal_var=False, alternative=side).pvalue
        )
    reference = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    got = compare_groups([a, b], [1, -1])
    assert (got.low, got.high, got.n, got.method) == (
        pytest.approx(reference.low),
        pytest.approx(reference.high),
        3,
        "welch",
    )
    assert welch_p_value([a, b], [1, -1], "less", shift=2.0) == pytest.approx(
        stats.ttest_ind(a, np.array(b) + 2, equal_var=False, alternative="less").pvalue
    )


def test_welch_without_spread_or_seeds():
    assert welch_p_value([[0.0] * 8, [0.0] * 9], [1, -1], "less", shift=0.5) == 1 / 256
    assert welch_p_value([[0.0], [0.0] * 9], [1, -1], "less", shift=0.5) == 1.0
    assert compare_groups([[0.0], [0.0] * 9], [1, -1]).low is None


def test_holm_by_hand():
    assert adjust_p_values([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjust_p_values([0.6, 0.7]) == [1.0, 1.0]
    assert adjust_p_values([]) == []


def test_binomial_interval():
    low, high = binomial_interval(0, 1438)
    assert (low, high) == pytest.approx((0.0, 100 * (1 - 0.025 ** (1 / 1438))))
    reference = (100 * stats.beta.ppf(0.025, 9, 351), 100 * stats.beta.ppf(0.975, 10, 350))
    assert binomial_interval(9, 359) == pytest.approx(reference)


@pytest.mark.parametrize(
    ("level", "contrasts", "two_sided", "seeds"),
    [(0.05, 1, False, 5), (0.05, 1, True, 6), (0.05, 12, False, 8), (0.05, 13, False, 9), (0.25, 1, False, 2)],
)
def test_seeds_to_reach(level, contrasts, two_sided, seeds):
    assert seeds_to_reach(level, contrasts, two_sided) == seeds
    smallest = (2 if two_sided else 1) / 2**seeds
    assert smallest <= level / contrasts < 2 * smallest


def test_seeds_needed_has_the_power_it_promises():
    assert seeds_for_power(1.0, 0.5, 0.05) == 27  # Cohen 1988, one-sample t, d = 0.5, one-sided
    assert seeds_for_power(1.0, 0.5, 0.05, two_sided=True) == 34
    assert seeds_for_power(0.0, 0.5, 0.05) == 8
    assert seeds_for_power(0.1, 0.5, 0.0001) == 14  # 1/2^13 is still above that level
    assert 6100 < seeds_for_power(15.8, 0.5, 0.05) < 6250


def test_slope_is_one_number_per_seed():
    errors = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    got = fit_slope_on_depth([10, 20, 30], errors)
    assert (got.n, got.mean, got.min, got.max) == (2, pytest.approx(0.15), pytest.approx(0.1), pytest.approx(0.2))
    with pytest.raises(ValueError, match="two depths"):
        fit_slope_on_depth([10], errors[:1])


def test_onset_is_against_the_best_shallower_depth():
    wiggle = np.array([0.0, 0.1, -0.1, 0.05, -0.05])
    errors = np.array([2 + wiggle, 1 - wiggle, 1.8 + wiggle, 5 + wiggle])
    onset = find_onset_depth([8, 14, 20, 32], errors)
    assert (onset.depth, onset.best_shallower) == (20, 14)
    assert onset.difference.effect == pytest.approx(0.8)
    assert find_onset_depth([8, 14], errors[:2]) is None
    with pytest.raises(ValueError, match="rise"):
        find_onset_depth([14, 8], errors[:2])


def test_the_front_holds_what_none_beats():
    points = [(1, 9.0), (2, 5.0), (2, 6.0), (3, 5.0), (4, 1.0), (4, 1.0), (0.5, 9.5)]
    assert find_pareto_front(points) == [6, 0, 1, 4, 5]
    assert find_pareto_front([]) == []
    assert find_pareto_front([(1, 2.0), (1, 1.0)]) == [1]
