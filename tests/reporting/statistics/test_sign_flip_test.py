import itertools

import numpy as np
import pytest
from scipy import stats

from harness.reporting.statistics.sign_flip_test import sign_flip_p_value


def brute_force_p_value(differences, side, shift=0.0):
    """Return the sign-flip p over all assignments of signs, in whole numbers so that ties are exact."""
    x = [round(1000 * (difference - shift)) for difference in differences]
    sums = [sum(s * v for s, v in zip(signs, x, strict=True)) for signs in itertools.product((1, -1), repeat=len(x))]
    is_extreme = {
        "greater": lambda total: total >= sum(x),
        "less": lambda total: total <= sum(x),
        "two-sided": lambda total: abs(total) >= abs(sum(x)),
    }[side]
    return sum(map(is_extreme, sums)) / len(sums)


@pytest.mark.parametrize("side", ["less", "greater", "two-sided"])
@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_sign_flip_p_value_equals_brute_force(n, side, shift):
    # Coarse values, so that sums tie as those of errors do, which are multiples of one image.
    differences = np.random.default_rng([3, n]).integers(-3, 5, n) * 0.1
    assert sign_flip_p_value(differences, side, shift) == brute_force_p_value(differences, side, shift)


@pytest.mark.parametrize(
    ("differences", "side", "shift", "p"),
    [
        ([1.0] * 8, "greater", 0.0, 1 / 256),
        ([1.0] * 8, "less", 0.0, 1.0),
        ([1.0] * 8, "two-sided", 0.0, 2 / 256),
        ([0.0] * 8, "greater", 0.0, 1.0),
        ([0.2] * 8, "less", 0.5, 1 / 256),
        ([0.1, 0.2, -0.3], "greater", 0.0, 5 / 8),
    ],
)
def test_sign_flip_p_value_equals_the_count_by_hand(differences, side, shift, p):
    assert sign_flip_p_value(differences, side, shift) == p


def test_sign_flip_p_value_of_many_pairs_is_sampled_reproducibly():
    x = np.random.default_rng(1).normal(0.3, 1, 30)
    p = sign_flip_p_value(x, "greater")
    assert p == sign_flip_p_value(x, "greater")
    assert p == pytest.approx(stats.ttest_1samp(x, 0, alternative="greater").pvalue, abs=0.01)


def test_sampled_p_value_counts_the_observed_signs():
    assert sign_flip_p_value(np.ones(30), "greater") == 1 / 100_001
