import pytest
from scipy import stats

from harness.reporting.statistics.comparisons import compare_pairs
from harness.reporting.statistics.proportions import probability_interval


def test_compare_pairs_counts_ties_as_one_half():
    comparison = compare_pairs([1.0, 2.0, 3.0, 0.1 + 0.2], [2.0, 2.0, 1.0, 0.3])
    assert comparison.probability == pytest.approx((1 + 0.5 + 0 + 0.5) / 4)
    assert comparison.effect == pytest.approx(0.25)


def test_compare_pairs_gives_the_paired_interval_of_scipy():
    a, b = [1.0, 2.0, 4.0, 7.0], [2.0, 2.5, 3.0, 1.0]
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    comparison = compare_pairs(a, b)
    assert (comparison.low, comparison.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("a", "b", "correlation"),
    [([1.0, 2.0, 4.0], [2.0, 3.0, 5.0], 1.0), ([1.0, 1.0, 1.0], [2.0, 3.0, 5.0], None), ([1.0, 2.0], [2.0, 4.0], None)],
)
def test_correlation_needs_three_pairs_and_spread_on_both_sides(a, b, correlation):
    assert compare_pairs(a, b).correlation == (None if correlation is None else pytest.approx(correlation))


def test_compare_pairs_gives_the_interval_of_the_probability():
    comparison = compare_pairs([1.0] * 7 + [3.0], [2.0] * 7 + [3.0])
    assert (comparison.probability_low, comparison.probability_high) == probability_interval(7, 1, 8)
    assert comparison.probability_low < comparison.probability == 7.5 / 8 < comparison.probability_high == 1.0


def test_compare_pairs_refuses_unequal_lengths():
    with pytest.raises(ValueError, match="pairs need equal lengths, and these are 1 and 2"):
        compare_pairs([1.0], [1.0, 2.0])
