"""Orthogonal arrays: designs in which every two sources meet in every pair of their levels exactly once."""

from __future__ import annotations

from functools import cache

PRIMITIVE_POLYNOMIALS = {4: 0b111, 8: 0b1011, 16: 0b10011}
"""For a field of 2^m elements: an irreducible polynomial over GF(2) of degree m, with its coefficients as bits."""
COLUMNS_OF_LATIN_SQUARE = 3


def has_array(columns: int, levels: int) -> bool:
    """Return whether :func:`orthogonal_array` can make an array of this size."""
    if columns <= COLUMNS_OF_LATIN_SQUARE:
        return True
    return columns == COLUMNS_OF_LATIN_SQUARE + 1 and (levels % 2 == 1 or levels in PRIMITIVE_POLYNOMIALS)


@cache
def orthogonal_array(columns: int, levels: int) -> tuple[tuple[int, ...], ...]:
    """Return an orthogonal array of strength 2: levels² runs, each with one level (from 0) for each column.

    The first two columns are the row i and the column j of a square, and each further one is a Latin square of (i, j)
    that is orthogonal to the others: i + j and i + 2j. The sums are those of the integers modulo an odd number of
    levels, or of the finite field of 4, 8 or 16 elements (Hedayat, Sloane and Stufken 1999, chapter 8).

    Args:
        columns: 2 to 4.
        levels: At least 2. Four columns need an odd number, or 4, 8 or 16: see :func:`has_array`.
    """
    assert has_array(columns, levels)
    polynomial = PRIMITIVE_POLYNOMIALS.get(levels)

    def add(i: int, j: int) -> int:
        return (i + j) % levels if polynomial is None else i ^ j

    def double(j: int) -> int:
        if polynomial is None:
            return 2 * j % levels
        return 2 * j if 2 * j < levels else 2 * j ^ polynomial

    runs = [(i, j, add(i, j), add(i, double(j))) for i in range(levels) for j in range(levels)]
    return tuple(run[:columns] for run in runs)
