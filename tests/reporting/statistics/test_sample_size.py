import pytest

from harness.reporting.statistics.sample_size import seeds_for_power
from harness.specs.experiment.interim_looks import seeds_to_reach


@pytest.mark.parametrize(
    ("level", "contrasts", "two_sided", "seeds"),
    [(0.05, 1, False, 5), (0.05, 1, True, 6), (0.05, 12, False, 8), (0.05, 13, False, 9), (0.25, 1, False, 2)],
)
def test_seeds_to_reach_is_the_first_n_whose_smallest_p_passes(level, contrasts, two_sided, seeds):
    assert seeds_to_reach(level, contrasts, two_sided) == seeds
    smallest_p = (2 if two_sided else 1) / 2**seeds
    assert smallest_p <= level / contrasts < 2 * smallest_p


@pytest.mark.parametrize(
    ("sd", "level", "two_sided", "seeds"),
    [
        pytest.param(1.0, 0.05, False, 27, id="one-sided t test of Cohen 1988, d = 0.5"),
        pytest.param(1.0, 0.05, True, 34, id="two-sided t test, d = 0.5"),
        pytest.param(0.0, 0.05, False, 8, id="no spread: fewest seeds for a claim"),
        pytest.param(0.1, 0.0001, False, 14, id="no smaller n has a p of the sign-flip test below the level"),
    ],
)
def test_seeds_for_power_finds_an_effect_of_one_half(sd, level, two_sided, seeds):
    assert seeds_for_power(sd, 0.5, level, two_sided) == seeds


def test_seeds_for_power_of_a_small_effect_is_near_the_normal_approximation():
    assert 6100 < seeds_for_power(15.8, 0.5, 0.05) < 6250
