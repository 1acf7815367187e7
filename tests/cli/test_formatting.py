"""Times, ages and sizes as text."""

import time

import pytest

from harness.cli.formatting import format_age, format_bytes, format_percent, format_value


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_000_000, "2.0 MB"), (3e9, "3.0 GB"), (5e12, "5.0 TB")],
)
def test_bytes_are_shown_in_the_largest_unit(count, text):
    assert format_bytes(int(count)) == text


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (300, "5 min"), (3 * 3600, "3 h"), (4 * 86400, "4 d")])
def test_age_is_shown_in_the_largest_unit(seconds, text):
    assert format_age(int((time.time() - seconds) * 1000)) == text


def test_age_of_a_time_ahead_of_the_clock_is_zero():
    assert format_age(int((time.time() + 3600) * 1000)) == "0 s"


def test_missing_values_are_shown_as_a_dash():
    assert [format_age(0), format_percent(None), format_value(None), format_value(None, "?")] == ["–", "–", "–", "?"]
