import numpy as np
import pytest

from harness.reporting.statistics.sign_flip_test import sign_flip_p_value
from harness.reporting.statistics.stage_estimate import estimate_at_stop, estimate_naively
from harness.reporting.statistics.stage_test import first_rejection, run_stage_tests, spent_levels

STAGES = (8, 12, 16)
SPENT = spent_levels(0.05, STAGES)


def test_interval_after_the_first_stage_holds_the_bounds_that_the_sign_flip_test_does_not_reject():
    x = np.random.default_rng(1).normal(1, 1, 8)
    estimate = estimate_at_stop(x, "greater", 0.0, STAGES, SPENT)
    assert estimate.is_corrected
    for side, end, inwards in (("greater", estimate.low, 1e-6), ("less", estimate.high, -1e-6)):
        assert sign_flip_p_value(x, side, end - inwards) <= 0.025
        assert sign_flip_p_value(x, side, end + inwards) > 0.025
    assert sign_flip_p_value(x, "greater", estimate.effect) == pytest.approx(0.5, abs=0.01)


def test_estimates_of_mirrored_differences_are_mirrored():
    x = np.random.default_rng(2).normal(0.2, 1, 12)
    up, down = (estimate_at_stop(s * x, side, s * 0.1, STAGES, SPENT) for s, side in ((1, "greater"), (-1, "less")))
    assert (-down.effect, -down.high, -down.low) == pytest.approx((up.effect, up.low, up.high))


def test_a_late_rejection_is_corrected_towards_the_bound():
    x = np.array([1.0, -0.2, 0.5, 0.1, -0.9, 1.1, 0.4, 0.3, 2.0, 1.5, 1.2, 1.8])
    assert first_rejection(x, "greater", 0.0, STAGES, SPENT) == 12
    estimate, naive = estimate_at_stop(x, "greater", 0.0, STAGES, SPENT), estimate_naively(x, [12])[0]
    assert estimate.is_corrected and not naive.is_corrected
    assert estimate.effect < naive.effect == pytest.approx(x.mean())


def test_an_estimate_is_naive_where_the_test_did_not_stop_the_experiment():
    x = np.concatenate([np.full(8, 1.0) + np.arange(8) / 10, np.zeros(4)])
    assert first_rejection(x, "greater", 0.0, STAGES, SPENT) == 8
    assert not estimate_at_stop(x, "greater", 0.0, STAGES, SPENT).is_corrected
    assert not estimate_at_stop(x, "greater", 0.0, [12], [0.05]).is_corrected
    assert not estimate_at_stop(x, "two-sided", 0.0, STAGES, SPENT).is_corrected


def test_lost_pairs_are_left_out():
    x = np.random.default_rng(3).normal(0.2, 1, 11)
    with_lost = np.insert(x, 3, np.nan)
    estimate = estimate_at_stop(with_lost, "greater", 0.0, STAGES, SPENT)
    assert (estimate.stage, estimate.n) == (12, 11)
    assert estimate_at_stop([np.nan] * 8, "greater", 0.0, STAGES, SPENT) is None
    assert [(e.stage, e.n) for e in estimate_naively(with_lost, STAGES)] == [(8, 7), (12, 11)]


def test_estimate_of_32_pairs_is_inside_its_interval_and_repeatable():
    x, stages = np.random.default_rng(4).normal(0.3, 1, 32), (8, 16, 24, 32)
    spent = spent_levels(0.05, stages)
    estimate = estimate_at_stop(x, "less", 0.0, stages, spent)
    assert estimate == estimate_at_stop(x, "less", 0.0, stages, spent)
    assert estimate.is_corrected and estimate.low < estimate.effect < estimate.high


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.5, 0.9])
def test_estimates_of_stopped_experiments_are_median_unbiased_and_naive_ones_are_not(effect):
    """Over 1,000 experiments of at most 12 pairs; a share may be off by four standard errors."""
    experiments, stages = 1_000, (8, 10, 12)
    spent = spent_levels(0.05, stages)
    rows = np.random.default_rng(5).normal(effect, 1, (experiments, 12))
    stops = np.where((stops := run_stage_tests(rows, "greater", 0.0, stages, spent).stage) > 0, stops, 12)
    corrected = [
        estimate_at_stop(row[:stop], "greater", 0.0, stages, spent) for row, stop in zip(rows, stops, strict=True)
    ]
    naive = [row[:stop].mean() for row, stop in zip(rows, stops, strict=True)]
    too_high = np.mean([estimate.effect > effect for estimate in corrected])
    assert abs(too_high - 0.5) <= 4 * 0.5 / experiments**0.5
    assert too_high < np.mean(np.array(naive) > effect)
    assert np.mean([e.low <= effect <= e.high for e in corrected]) >= 0.95 - 4 * (0.95 * 0.05 / experiments) ** 0.5
