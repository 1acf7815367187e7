"""Durations as a user writes them."""

import pytest

from harness.errors import HarnessError
from harness.settings.duration import parse_duration


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("30m", 1800),
        ("1h30m", 5400),
        ("2h5s", 7205),
        ("1:30", 90),
        ("1:30:00", 5400),
        (2.5, 2.5),
        (60, 60),
    ],
)
def test_duration_is_read_in_seconds(value, seconds):
    assert parse_duration(value, "--wait") == seconds


@pytest.mark.parametrize("value", ["", "0", "soon", "1d", "-5", "1.5h", "9999h", 0, -1.0, float("nan"), float("inf")])
def test_value_that_is_not_a_duration_is_an_error_that_names_the_option(value):
    with pytest.raises(HarnessError, match="is not a duration") as error:
        parse_duration(value, "--wait")
    assert error.value.where == "--wait"
