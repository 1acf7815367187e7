"""Orthogonal arrays: every two columns hold every pair of levels exactly once."""

from itertools import combinations, product

import pytest

from harness.specs.replication.orthogonal_array import has_array, orthogonal_array

SIZES = [(columns, levels) for columns in (2, 3, 4) for levels in range(2, 17) if has_array(columns, levels)]


@pytest.mark.parametrize(("columns", "levels"), SIZES)
def test_orthogonal_array_has_every_pair_of_levels_of_two_columns_once(columns, levels):
    runs = orthogonal_array(columns, levels)
    pairs = list(product(range(levels), repeat=2))
    for one, other in combinations(range(columns), 2):
        assert sorted((run[one], run[other]) for run in runs) == pairs


def test_four_columns_exist_for_odd_levels_and_fields_of_even_size():
    assert [levels for levels in range(3, 17) if not has_array(4, levels)] == [6, 10, 12, 14]
