import pytest
from reporting_helpers import INFO

from harness.reporting.statistics.effect_test import compare_and_test
from harness.reporting.statistics.proportions import binomial_interval

HUNDRED_IMAGES = INFO.model_copy(update={"test": 100})


def cell(values, first_seed=0):
    return dict(enumerate(values, first_seed))


@pytest.mark.parametrize(("threshold", "p"), [(1.5, 1.0), (50.0, 1 / 2**8)])
def test_equal_errors_in_all_seeds_must_pass_the_threshold_over_images_too(threshold, p):
    """Without spread every sign-flip p is the smallest possible, so the exact interval over images decides."""
    test = compare_and_test(
        "test/error", [cell([2.0] * 8)], [cell([1.0] * 8)], "less", threshold, threshold, HUNDRED_IMAGES
    )
    assert (test.over_images, test.p) == (True, p)
    (low_a, high_a), (low_b, high_b) = (binomial_interval(wrong, 100, 0.975) for wrong in (2, 1))
    assert (test.low, test.high) == pytest.approx((low_a - high_b, high_a - low_b))


def test_an_interaction_subtracts_the_second_cell_of_each_side():
    a, b = [cell([5.0, 6.0, 7.0]), cell([1.0, 1.0, 2.0])], [cell([2.0, 3.0, 2.0]), cell([1.0, 1.0, 1.0])]
    test = compare_and_test("test/error", a, b, "greater", 0.0, 0.0, INFO)
    assert test.effect == pytest.approx((3 + 3 + 4) / 3)


def test_incomplete_pairs_are_compared_by_welchs_test():
    test = compare_and_test("test/error", [cell(range(8))], [cell(range(8), first_seed=1)], "less", 0.0, 0.0, INFO)
    assert (test.comparison.method, test.n) == ("welch", 8)


@pytest.mark.parametrize(("n", "has_interval", "has_p"), [(4, False, False), (5, True, False), (8, True, True)])
def test_intervals_need_five_seeds_and_p_values_eight(n, has_interval, has_p):
    a = cell([1.0, 2.0, 4.0, 3.0, 1.0, 2.0, 5.0, 4.0][:n])
    test = compare_and_test("test/error", [a], [cell([1.0] * n)], "less", 0.0, 0.0, INFO)
    assert (test.low is not None, test.p is not None, test.p_opposite is not None) == (has_interval, has_p, has_p)


def test_a_two_sided_claim_has_no_opposite():
    a, b = cell([1.0, 2.0, 4.0, 3.0, 1.0, 2.0, 5.0, 4.0]), cell([1.0] * 8)
    assert compare_and_test("test/error", [a], [b], "two-sided", 0.0, 0.0, INFO).p_opposite is None


def test_a_variant_without_values_gives_no_effect():
    test = compare_and_test("test/error", [{}], [cell([1.0])], "less", 0.0, 0.0, INFO)
    assert (test.n, test.effect, test.p) == (0, None, None)
