"""Numbers and names as text: no missing value is ever printed as nan, None or inf."""

import math

import pytest

from harness.reporting.formatting import (
    format_count,
    format_dates,
    format_interval,
    format_mean,
    format_number,
    format_p,
    format_quantity,
    format_trials,
    join_words,
)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (-0.001, 2, "0.00"),
        (1234.5, 1, "1,234.5"),
        (-2.0, 2, "−2.00"),
        (None, 2, "–"),
        (math.nan, 2, "–"),
        (-math.inf, 2, "–"),
    ],
)
def test_format_number_returns_typographic_text_or_a_dash(value, decimals, text):
    assert format_number(value, decimals) == text


@pytest.mark.parametrize(("p", "text"), [(1 / 256, "0.00391"), (1.0, "1"), (1e-5, "1.0e-05"), (None, "–")])
def test_format_p_keeps_three_significant_digits(p, text):
    assert format_p(p) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(116738, "116,738"), (1_074_000, "1.07 M"), (4.1e9, "4.10 G"), (25.6e6, "25.6 M"), (math.nan, "–")],
)
def test_format_count_is_exact_below_a_million(count, text):
    assert format_count(count) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (format_interval(-0.5, 1.0, sign=True), "−0.50 to +1.00"),
        (format_interval(None, 1.0), "–"),
        (format_mean(2.0, 0.5), "2.00 ± 0.50"),
        (format_mean(2.0, None), "2.00"),
        (format_quantity(1, "seed"), "1 seed"),
        (format_quantity(1000, "seed"), "1,000 seeds"),
        (join_words(["a", "b", "c"]), "a, b and c"),
        (join_words([]), ""),
        (format_trials([("a", 3), ("b", 1), ("a", 4)]), ["a seeds 3, 4", "b seed 1"]),
        (
            format_dates(["2026-11-21T16:11:09Z", "2025-01-02T03:04:05Z", ""]),
            "2025-01-02 03:04 to 2026-11-21 16:11 UTC",
        ),
        (format_dates([]), "not recorded"),
    ],
)
def test_format_helpers_return_plain_words(text, expected):
    assert text == expected
