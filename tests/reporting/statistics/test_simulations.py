"""Coverage and type-I error over simulated records: nominal within the error of the simulation.

Every check draws 20,000 experiments and asks the project's own formulas, along the last axis.
"""

import math

import numpy as np
import pytest

from harness.reporting.statistics.multiple_testing import adjust_p_values
from harness.reporting.statistics.intervals import estimate_mean, t_interval
from harness.reporting.statistics.comparisons import compare_pairs
from harness.reporting.statistics.proportions import probability_interval
from harness.reporting.statistics.sign_flip_test import sign_flip_p_value, sign_flip_p_values
from harness.reporting.statistics.welch_test import compare_groups, welch_interval, welch_p_value, welch_p_values

DRAWN = 20_000
LEVEL = 0.05
SIZES = pytest.mark.parametrize("n", [5, 8])
SIDES = pytest.mark.parametrize("side", ["less", "greater", "two-sided"])


def near(share, nominal):
    """Whether a share of the drawn experiments is ``nominal`` within four standard errors of the simulation."""
    return abs(share - nominal) <= 4 * math.sqrt(nominal * (1 - nominal) / DRAWN)


def at_most(share, nominal):
    return share <= nominal or near(share, nominal)


def pairs(n, correlation, seed, effect=0.0):
    """Two sides (DRAWN, n) of one spread whose seeds are correlated."""
    generator = np.random.default_rng([seed, n])
    shared, a, b = generator.normal(size=(3, DRAWN, n))
    own = math.sqrt(1 - correlation)
    return 3 + effect + math.sqrt(correlation) * shared + own * a, 3 + math.sqrt(correlation) * shared + own * b


def attainable(level, n, side):
    """The largest level up to ``level`` that p can be equal to at n pairs: their grid is 2^n, in twos for two sides."""
    step = (2 if side == "two-sided" else 1) / 2**n
    return math.floor(level / step + 1e-9) * step


@SIZES
def test_the_t_interval_covers(n):
    x = 20 + 15 * np.random.default_rng(n).normal(size=(DRAWN, n))
    _, _, low, high = t_interval(x)
    assert near(np.mean((low <= 20) & (high >= 20)), 0.95)
    one = estimate_mean(x[7])
    assert (one.low, one.high) == (low[7], high[7])


@SIZES
@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_interval_of_a_paired_difference_covers(n, correlation):
    a, b = pairs(n, correlation, seed=1, effect=0.7)
    _, _, low, high = t_interval(a - b)
    assert near(np.mean((low <= 0.7) & (high >= 0.7)), 0.95)
    one = compare_pairs(a[7], b[7])
    assert (one.low, one.high) == (low[7], high[7])


APPROXIMATE = {5: 0.007, 8: 0.0}
"""By how much Welch's share may be off beside the simulation's error: Satterthwaite's df are an approximation.

At five seeds it shows; from eight on, where claims begin, it does not.
"""


def near_enough(share, nominal, n):
    return near(share, nominal) or abs(share - nominal) <= APPROXIMATE[n]


@SIZES
@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_welchs_interval_covers(n, spread):
    generator = np.random.default_rng([2, n])
    a, b = generator.normal(0.7, 1, (DRAWN, n)), generator.normal(0, spread, (DRAWN, n - 1))
    _, _, low, high = welch_interval([a, b], [1, -1])
    assert near_enough(np.mean((low <= 0.7) & (high >= 0.7)), 0.95, n)
    one = compare_groups([a[7], b[7]], [1, -1])
    assert (one.low, one.high) == pytest.approx((low[7], high[7]), rel=1e-12)


@SIZES
@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_the_interval_of_an_interaction_covers_where_pairs_are_missing(n, spread):
    generator = np.random.default_rng([11, n])
    cells = [generator.normal(0, sd, (DRAWN, n)) for sd in (1, spread, 1, spread)]
    _, _, low, high = welch_interval(cells, [1, -1, -1, 1])
    assert near_enough(np.mean((low <= 0) & (high >= 0)), 0.95, n)


@SIZES
@SIDES
def test_the_sign_flip_p_is_uniform_on_its_grid(n, side):
    """Exact: at every level that p can take the type-I error is that level, so at 5 % never more."""
    a, b = pairs(n, 0.5, seed=3)
    p = sign_flip_p_values(a - b, side)
    for level in (0.05, 0.0625, 0.1, 0.25, 0.5):
        nominal = attainable(level, n, side)
        assert near(np.mean(p <= level), nominal), level
    assert [sign_flip_p_value(row, side) for row in (a - b)[:50]] == p[:50].tolist()


@SIZES
def test_the_sign_flip_test_needs_no_normal_data(n):
    """Exchangeable sides are all it asks for: skewed errors, in whole images, with many ties."""
    generator = np.random.default_rng([4, n])
    a, b = np.round(generator.gamma(0.5, 2.0, (2, DRAWN, n)) * 3) / 3
    for side in ("less", "greater", "two-sided"):
        assert at_most(np.mean(sign_flip_p_values(a - b, side) <= LEVEL), attainable(LEVEL, n, side))


@SIZES
def test_non_inferiority_at_the_margin(n):
    """A true effect that is the margin itself is called smaller than it at the level, and no more often."""
    a, b = pairs(n, 0.3, seed=5, effect=0.5)
    nominal = attainable(LEVEL, n, "less")
    assert near(np.mean(sign_flip_p_values(a - b, "less", shift=0.5) <= LEVEL), nominal)
    worse, b = pairs(n, 0.3, seed=5, effect=0.8)
    assert np.mean(sign_flip_p_values(worse - b, "less", shift=0.5) <= LEVEL) < nominal


@SIZES
@SIDES
def test_welchs_test_at_no_difference(n, side):
    generator = np.random.default_rng([6, n])
    a, b = generator.normal(0, 1, (DRAWN, n)), generator.normal(0, 2, (DRAWN, n))
    p = welch_p_values([a, b], [1, -1], side)
    assert near_enough(np.mean(p <= LEVEL), LEVEL, n)
    assert [welch_p_value([x, y], [1, -1], side) for x, y in zip(a[:20], b[:20], strict=True)] == pytest.approx(p[:20])


def family_error(ps, level=LEVEL):
    """Share of experiments in which Holm passes any of their (DRAWN, contrasts) p."""
    return np.mean([min(adjust_p_values(row)) <= level for row in ps.tolist()])


@SIZES
def test_holm_over_three_contrasts(n):
    """Independent ones: the share is 1 - (1 - a)^3 at what the first threshold, a third, can attain; 0 at n = 5."""
    differences = np.random.default_rng([7, n]).normal(size=(3, DRAWN, n))
    ps = np.stack([sign_flip_p_values(d, "greater") for d in differences], axis=-1)
    first = attainable(LEVEL / 3, n, "greater")
    assert first == {5: 0, 8: 4 / 256}[n]
    assert near(family_error(ps), 1 - (1 - first) ** 3)
    groups = np.random.default_rng([8, n]).normal(size=(3, 2, DRAWN, n))
    ps = np.stack([welch_p_values([a, b], [1, -1], "two-sided") for a, b in groups], axis=-1)
    assert at_most(family_error(ps), LEVEL)
    assert family_error(ps) > 0.035


@SIZES
def test_holm_over_contrasts_that_share_a_side(n):
    """All against one baseline, as an experiment's contrasts often are: correlated, and never beyond the level."""
    generator = np.random.default_rng([9, n])
    base, others = generator.normal(size=(DRAWN, n)), generator.normal(size=(3, DRAWN, n))
    ps = np.stack([sign_flip_p_values(other - base, "less") for other in others], axis=-1)
    assert at_most(family_error(ps), LEVEL)


@SIZES
@pytest.mark.parametrize("ties", [0.0, 0.4])
@pytest.mark.parametrize("less", [0.5, 0.9])
def test_the_interval_of_the_probability_covers(n, ties, less):
    """Exact, so never below 95 %: by whole pairs it is often more."""
    shares = [less * (1 - ties), ties, (1 - less) * (1 - ties)]
    truth = shares[0] + ties / 2
    counts = np.random.default_rng([10, n]).multinomial(n, shares, size=DRAWN)
    covers = {
        (lower, tied): low <= truth <= high
        for lower in range(n + 1)
        for tied in range(n + 1 - lower)
        for low, high in [probability_interval(lower, tied, n)]
    }
    share = np.mean([covers[lower, tied] for lower, tied, _ in counts.tolist()])
    assert share >= 0.95 or near(share, 0.95)
