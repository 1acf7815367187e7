"""Errors: their text is safe for a terminal, and suggestions name the nearest word."""

import pytest

from harness.errors import HarnessError, suggest_nearest


def test_harness_error_with_control_characters_prints_them_as_escapes():
    error = HarnessError("a\x1b[31m\nb", where="\x9b\u202e\ud800", remedy="c\rd\te")
    assert str(error) == "\\x9b\\u202e\\ud800: a\\x1b[31m\nb. c\\rd\te"


@pytest.mark.parametrize(
    ("word", "names", "suggestion"),
    [
        ("momentm", ["lr", "momentum"], "Did you mean 'momentum'?"),
        ("xyz", ["lr", "decay"], "Use one of: decay, lr."),
        ("xyz", [], ""),
    ],
)
def test_suggest_nearest_names_the_closest_word_or_all(word, names, suggestion):
    assert suggest_nearest(word, names) == suggestion


def test_suggest_nearest_of_many_names_lists_the_nearest_few():
    names = [f"net-{number}" for number in range(1500)]
    text = "The nearest of 1,500 names are net-9, net-8, net-7, net-6, net-5."
    assert suggest_nearest("quite unlike", names) == text
