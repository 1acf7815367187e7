"""Variance components: against an analysis of variance by hand, and the coverage of their intervals."""

import numpy as np
import pytest

from harness.reporting.statistics.variance_components import difference_interval, estimate_components
from harness.specs.replication.orthogonal_array import orthogonal_array


def levels_of(sources, size):
    return np.array(orthogonal_array(sources, size))


def simulate(rng, sds, residual, size, blocks):
    """Return results of the crossed design with these standard deviations, and its levels."""
    levels = levels_of(len(sds), size)
    values = rng.normal(50.0, residual, (blocks, size**2))
    for column, sd in zip(levels.T, sds, strict=True):
        values += rng.normal(0, sd, (blocks, size))[:, column]
    return values, levels


def test_components_equal_an_analysis_of_variance_by_hand():
    """Two sources with three levels: rows 0, 3, 6 and columns 0, 1, 5, and one run 0.9 above their sum."""
    values = np.add.outer([0.0, 3.0, 6.0], [0.0, 1.0, 5.0])
    values[0, 0] += 0.9
    row_means, column_means = values.mean(1), values.mean(0)
    row_square = 3 * ((row_means - values.mean()) ** 2).sum() / 2
    column_square = 3 * ((column_means - values.mean()) ** 2).sum() / 2
    remainder = values - row_means[:, None] - column_means[None] + values.mean()
    residual = (remainder**2).sum() / 4
    found = estimate_components(values.reshape(1, 9), levels_of(2, 3))
    assert found.sources[0].sd ** 2 == pytest.approx((row_square - residual) / 3)
    assert found.sources[1].sd ** 2 == pytest.approx((column_square - residual) / 3)
    assert found.residual.sd**2 == pytest.approx(residual)
    assert found.total**2 == pytest.approx(sum(c.sd**2 for c in (*found.sources, found.residual)))
    assert sum(c.share for c in (*found.sources, found.residual)) == pytest.approx(1)
    assert (found.mean, found.runs, found.freedom) == (pytest.approx(values.mean()), 9, (2, 4))


def test_blocks_are_analysed_apart_from_each_other():
    """A difference between blocks is no component, because blocks share no level."""
    values, levels = simulate(np.random.default_rng(1), (1.0, 0.5, 0.2), 0.3, 4, 3)
    shifted = values + np.array([[0.0], [100.0], [-40.0]])
    one, other = estimate_components(values, levels), estimate_components(shifted, levels)
    for a, b in zip((*one.sources, one.residual), (*other.sources, other.residual), strict=True):
        assert (a.sd, a.low, a.high) == pytest.approx((b.sd, b.low, b.high), rel=1e-6)
    assert one.freedom == (9, 3 * (16 - 1 - 9))


def test_results_without_spread_have_no_component_and_no_share():
    found = estimate_components(np.full((2, 16), 7.5), levels_of(4, 4))
    assert [(c.sd, c.low, c.high, c.share) for c in (*found.sources, found.residual)] == [(0, 0, 0, None)] * 5
    assert (found.mean, found.low, found.high, found.total) == (7.5, 7.5, 7.5, 0)


def test_component_below_zero_counts_as_zero_and_keeps_the_upper_end_of_its_interval():
    """Rows agree exactly, although runs differ: the mean square of rows is below that of the residual."""
    values = np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 1.0], [3.0, 1.0, 2.0]])
    row = estimate_components(values.reshape(1, 9), levels_of(2, 3)).sources[0]
    assert (row.sd, row.low, row.share) == (0, 0, 0)
    # The upper end is that of a mean square that equals the residual's, and not zero as if no effect were possible.
    square = estimate_components(values.reshape(1, 9), levels_of(2, 3)).residual.sd ** 2
    assert row.high == pytest.approx((difference_interval(square, square, 2, 4)[1] / 3) ** 0.5)
    assert row.high > row.sd


def test_difference_interval_without_a_second_mean_square_is_that_of_one_variance():
    """With nothing to subtract, the ends are those of the chi-squared interval: 11.14 and 0.4844 for 4 degrees."""
    low, high = difference_interval(2.0, 0.0, 4, 10)
    assert (low, high) == pytest.approx((4 * 2.0 / 11.1433, 4 * 2.0 / 0.484419), rel=1e-4)


@pytest.mark.parametrize(
    ("sds", "residual", "size", "blocks"),
    [((2.0, 1.0, 0.5, 0.0), 1.0, 4, 1), ((1.0, 0.3, 0.0), 0.5, 4, 2), ((1.0, 0.2), 0.05, 3, 3)],
)
def test_intervals_cover_true_components_and_the_mean(sds, residual, size, blocks):
    """At 1,000 designs the standard error of a coverage of 95 % is 0.7 points; the method itself is approximate."""
    rng, designs = np.random.default_rng(7), 1_000
    covered = np.zeros(len(sds) + 2)
    for _ in range(designs):
        found = estimate_components(*simulate(rng, sds, residual, size, blocks))
        pairs = zip((*found.sources, found.residual), (*sds, residual), strict=True)
        covered += [*(c.low <= sd <= c.high for c, sd in pairs), found.low <= 50.0 <= found.high]
    assert (covered / designs >= 0.925).all(), covered / designs


def test_estimates_of_components_are_unbiased_but_for_the_cut_at_zero():
    rng, sds = np.random.default_rng(3), (2.0, 1.5)
    found = [estimate_components(*simulate(rng, sds, 0.5, 4, 2)) for _ in range(1_000)]
    for number, sd in enumerate(sds):
        assert np.mean([f.sources[number].sd ** 2 for f in found]) == pytest.approx(sd**2, rel=0.06)


def test_interactions_of_two_sources_are_part_of_the_residual():
    """In an orthogonal array each pair of levels occurs once, so an interaction is like noise of each run."""
    rng, levels = np.random.default_rng(5), levels_of(3, 4)
    found = []
    for _ in range(600):
        interaction = rng.normal(0, 1.0, (4, 4))
        found.append(estimate_components(interaction[levels[:, 0], levels[:, 1]][None], levels))
    assert np.mean([f.residual.sd**2 for f in found]) == pytest.approx(1.0, rel=0.1)
    # The mean of the uncut estimates is zero; the cut at zero leaves a little.
    assert max(np.mean([f.sources[n].sd ** 2 for f in found]) for n in range(3)) < 0.15
