"""The order of pairs under censoring, and the level of the sign test that rests on it."""

import math

import numpy as np
import pytest

from harness.reporting.statistics.sign_flip_test import sign_flip_p_values
from harness.reporting.time_to_target.ordered_pairs import order_pairs
from harness.tracking.target_times import TargetTime


def time(epochs, reached=True, seconds=1.0, exclusive=True, conditions=("cpu",), seed=1):
    return TargetTime("net", seed, reached, epochs, seconds, exclusive, conditions)


@pytest.mark.parametrize(
    ("a", "b", "order", "reason"),
    [
        (time(3), time(5), -1, None),
        (time(5), time(3), 1, None),
        (time(5), time(5), 0, "ties"),
        (time(3), time(10, reached=False), -1, None),
        (time(10), time(10, reached=False), -1, None),
        (time(10, reached=False), time(3), 1, None),
        (time(10, reached=False), time(10, reached=False), 0, "both_censored"),
        # The budget of b ended before a reached it: b may have been earlier.
        (time(12), time(10, reached=False), 0, "unknown"),
        (time(9), time(math.inf, reached=False), -1, None),
    ],
)
def test_order_of_a_pair(a, b, order, reason):
    pairs = order_pairs({1: a}, {1: b}, [1, 2], "epochs")
    assert pairs.order == {1: order}
    counts = {key: getattr(pairs, key) for key in ("ties", "both_censored", "unknown", "not_comparable")}
    assert counts == dict.fromkeys(counts, 0) | ({reason: 1} if reason else {})


@pytest.mark.parametrize("b", [time(5, exclusive=False), time(5, conditions=("gpu",)), time(5, seconds=math.nan)])
def test_seconds_of_unlike_or_shared_devices_are_left_out(b):
    pairs = order_pairs({1: time(3)}, {1: b}, [1], "seconds")
    assert (dict(pairs.order), pairs.not_comparable) == ({}, 1)


@pytest.mark.parametrize("budget_of_b", [6, 12])
def test_sign_test_of_ordered_pairs_keeps_its_level_under_censoring(budget_of_b):
    """Simulate pairs whose times do not differ, of which many are tied or censored; b may have the longer budget."""
    generator, runs, n, level, budget_of_a = np.random.default_rng(8), 1000, 10, 0.05, 6
    orders = []
    for _ in range(runs):
        # Pairs share a part of their time, as twins at one seed do.
        shared = generator.geometric(0.3, n)
        x, y = (shared + generator.geometric(0.3, n) for _ in range(2))
        a = {i: time(min(t, budget_of_a), t <= budget_of_a) for i, t in enumerate(x.tolist())}
        b = {i: time(min(t, budget_of_b), t <= budget_of_b) for i, t in enumerate(y.tolist())}
        orders.append(list(order_pairs(a, b, range(n), "epochs").order.values()))
    for side in ("less", "greater"):
        rejected = np.mean(sign_flip_p_values(np.array(orders), side) <= level)
        assert rejected <= level + 3 * math.sqrt(level * (1 - level) / runs)
        # The test is not empty: some pairs have a known order.
        assert rejected > 0
