import pytest
from reporting_helpers import make_study

from harness.reporting.verdicts.sentences.phrases import (
    describe_budget,
    describe_small_sample,
    format_exact_p,
    format_size,
    format_title,
)

A, B = "cifar-resnet8-w8", "cifar-plain8-w8"


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "no seed is recorded"),
        (1, "smoke run"),
        (2, "preview"),
        (4, "preview"),
        (5, "descriptive"),
        (7, "descriptive"),
    ],
)
def test_describe_small_sample_names_what_the_seeds_are_good_for(n, words):
    assert words in describe_small_sample(n)


def test_describe_small_sample_is_empty_from_eight_seeds_on():
    assert describe_small_sample(8) == ""


@pytest.mark.parametrize(
    ("contrast", "title"),
    [
        (
            {"kind": "degradation", "shallow": 8, "deep": 32, "margin": 0.5, "shortcut": "identity"},
            "Depth degradation from depth 8 to 32 (identity)",
        ),
        (
            {"kind": "difference", "a": A, "b": B, "metric": "train/error_clean", "side": "greater"},
            f"Training error (clean) of {A} above that of {B}",
        ),
    ],
)
def test_format_title_states_the_claim(contrast, title):
    (declared,) = make_study(contrasts=[contrast]).experiment.contrasts
    assert format_title(declared) == title


@pytest.mark.parametrize(
    ("p", "n", "text"),
    [
        (1 / 256, 8, "1/256"),
        (2 / 256, 8, "0.00781"),
        (1 / 4096, 12, "1/4,096"),
        (1 / 256, 9, "0.00391"),
        (None, 8, "–"),
    ],
)
def test_the_smallest_p_that_the_pairs_allow_is_a_fraction(p, n, text):
    assert format_exact_p(p, n) == text


def test_describe_budget_names_the_data_set():
    assert describe_budget(make_study()) == "within this budget (10 epochs) on digits"


@pytest.mark.parametrize(("points", "text"), [(1.0, "1 point"), (0.5, "0.5 points"), (2.0, "2 points")])
def test_format_size_has_the_number_of_points(points, text):
    assert format_size(points) == text
