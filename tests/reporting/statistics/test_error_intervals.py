import pytest
from reporting_helpers import INFO

from harness.reporting.statistics.error_intervals import count_images, interval_over_images, select_error_interval
from harness.reporting.statistics.intervals import estimate_mean
from harness.reporting.statistics.proportions import binomial_interval


@pytest.mark.parametrize(
    ("metric", "images"), [("train/error", 1438), ("train/error_clean", 1438), ("test/error", 359)]
)
def test_count_images_is_the_size_of_the_measured_split(metric, images):
    assert count_images(metric, INFO) == images


def test_select_error_interval_needs_five_seeds():
    assert select_error_interval(estimate_mean([1.0, 2.0, 3.0, 4.0]), "test/error", INFO) is None


def test_select_error_interval_cuts_the_t_interval_at_zero():
    estimate = estimate_mean([0.0, 0.0, 0.0, 0.0, 1.0])
    interval = select_error_interval(estimate, "test/error", INFO)
    assert estimate.low < 0
    assert (interval.ends, interval.over_images) == ((0.0, estimate.high), False)


def test_select_error_interval_without_spread_is_over_images():
    interval = select_error_interval(estimate_mean([900 / 359] * 5), "test/error", INFO)
    assert (interval.ends, interval.over_images) == (binomial_interval(9, 359), True)


@pytest.mark.parametrize("metric", ["train/error", "train/error_clean"])
def test_memorised_training_images_are_no_sample_and_give_no_interval(metric):
    assert select_error_interval(estimate_mean([0.0] * 8), metric, INFO) is None
    assert select_error_interval(estimate_mean([0.0] * 7 + [1.0]), metric, INFO) is not None


def test_interval_over_images_adds_the_intervals_of_its_cells():
    cells = [dict.fromkeys(range(8), 100 * wrong / 359) for wrong in (9, 4)]
    low, high = interval_over_images(cells, [1.0, -1.0], 359)
    (low_a, high_a), (low_b, high_b) = (binomial_interval(wrong, 359, 0.975) for wrong in (9, 4))
    assert (low, high) == pytest.approx((low_a - high_b, high_a - low_b))


def test_interval_over_images_of_a_cell_with_spread_is_none():
    assert interval_over_images([{1: 0.0, 2: 1.0}, {1: 0.0, 2: 0.0}], [1.0, -1.0], 359) == (None, None)
