"""How often "not worse" is claimed exactly at the margin and with a true effect below it, under skew."""

import numpy as np
import pytest
from statistics_helpers import draw_skewed, fixed_p_values, read_twice, share_error

from harness.reporting.statistics.proportions import share_bound

EXPERIMENTS = 10_000
SKEWED = ("gamma(1)", "gamma(0.2)")


def claims_at_margin(name, n=8, below=0.0, experiments=EXPERIMENTS):
    """Return shares of experiments whose first reading claims "less", whose check finds skew, and where both claim it.

    Args:
        below: Standard deviations by which the true mean lies below the margin.
    """
    x = draw_skewed(name, experiments, n, np.random.default_rng([3, n])) - below
    return read_twice(x, "less", 0.0)


@pytest.mark.parametrize(("name", "by_both"), [("normal", 0.03), ("gamma(1)", 0.08), ("gamma(0.2)", 0.14)])
def test_not_worse_at_the_margin_is_claimed_without_a_warning_in_at_most_six_percent(name, by_both):
    first, is_skewed, claimed = claims_at_margin(name)
    assert (claimed & ~is_skewed).mean() <= 0.06
    assert claimed.mean() <= by_both
    assert first.mean() > 0.08 or name == "normal"


def test_without_skew_the_level_of_not_worse_is_kept():
    first, is_skewed, claimed = claims_at_margin("normal")
    assert abs(first.mean() - 6 / 256) <= share_error(6 / 256, EXPERIMENTS)
    assert abs(is_skewed.mean() - 0.1) <= 0.02
    assert claimed.mean() <= first.mean()


def test_rare_failures_are_found_only_where_a_seed_fails():
    """Two thirds of all experiments have no failing seed, so no test can see one: the bound over seeds must say so."""
    x = draw_skewed("failing seeds", EXPERIMENTS, 8, np.random.default_rng(4))
    _, _, claimed = read_twice(x, "less", 0.0)
    has_failure = (x > 10).any(axis=1)
    assert abs(claimed.mean() - 0.95**8) <= share_error(0.95**8, EXPERIMENTS) + 0.01
    assert claimed[has_failure].mean() == 0
    on_side = (x < 0).sum(axis=1)
    # The true share of failing seeds, 5 %, is never excluded by what the verdict says of other seeds.
    assert min(share_bound(int(k), 8) for k in np.unique(on_side[claimed])) == share_bound(8, 8) > 0.3


@pytest.mark.parametrize(("n", "below"), [(8, 1.2), (12, 1.0)])
def test_the_second_reading_costs_few_points_of_power_without_skew(n, below):
    x = draw_skewed("normal", 4_000, n, np.random.default_rng([5, n])) - below
    first, _, claimed = read_twice(x, "less", 0.0)
    assert first.mean() > 0.75
    assert first.mean() - claimed.mean() <= 0.04


@pytest.mark.slow
@pytest.mark.parametrize("n", [12, 16])
@pytest.mark.parametrize("name", ["normal", *SKEWED])
def test_more_seeds_do_not_bring_the_false_claims_back(name, n):
    first, is_skewed, claimed = claims_at_margin(name, n, experiments=4_000)
    assert (claimed & ~is_skewed).mean() <= 0.06
    assert claimed.mean() < first.mean() or name == "normal"


def test_a_long_tail_on_the_claimed_side_costs_no_claim():
    """A tail towards the claim makes the mean look worse than it is, so the check leaves it alone."""
    x = -draw_skewed("gamma(0.2)", 4_000, 8, np.random.default_rng(6))
    first, is_skewed, claimed = read_twice(x, "less", 0.0)
    assert is_skewed.mean() < 0.01
    assert fixed_p_values(x, "less").min() <= 0.025 and first.mean() <= 0.025
    assert (claimed == first).mean() > 0.999
