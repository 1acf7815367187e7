"""Interim looks: how many seeds a verdict needs."""

import pytest

from harness.specs.experiment.interim_looks import seeds_to_reach


@pytest.mark.parametrize(
    ("level", "contrasts", "two_sided", "seeds"),
    [
        (0.05, 1, False, 5),
        (0.05, 2, False, 6),
        (0.05, 1, True, 6),
        (1 / 256, 1, False, 8),
        (5e-324, 1, False, 1074),
    ],
)
def test_seeds_to_reach_makes_the_smallest_p_value_pass_the_level(level, contrasts, two_sided, seeds):
    assert seeds_to_reach(level, contrasts, two_sided=two_sided) == seeds
