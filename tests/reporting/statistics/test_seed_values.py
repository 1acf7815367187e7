import math

import pandas as pd

from harness.reporting.statistics.seed_values import values_by_seed

FINAL = pd.DataFrame(
    {"variant": ["a", "b", "a", "a"], "seed": [3, 3, 1, 2], "test/error": [3.0, 9.0, 1.0, math.nan]},
)


def test_values_by_seed_leaves_out_other_variants_and_missing_values():
    assert values_by_seed(FINAL, "a", "test/error") == {3: 3.0, 1: 1.0}


def test_values_by_seed_leaves_out_excluded_seeds():
    assert values_by_seed(FINAL, "a", "test/error", frozenset([3])) == {1: 1.0}
