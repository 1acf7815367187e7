"""The conclusion of each kind of verdict, word for word: it is what readers quote."""

import pytest
from reporting_helpers import SEED_OFFSETS, make_clean_errors, make_results, make_study

from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.sentences import describe_small_sample, format_title

A, B = "cifar-resnet8-w8", "cifar-plain8-w8"


def test_conclusion_of_a_supported_degradation():
    study = make_study()
    (verdict,) = decide_contrasts(make_results(study, make_clean_errors(study, plain32=20.0)))
    assert verdict.conclusion == (
        "Supported within this budget (10 epochs): from depth 8 to depth 32, the training error of the plain networks"
        " rises by 19.02 points (95 % interval +18.93 to +19.10, p = 0.00391). That of the residual networks changes "
        "by +0.02 points (95 % interval −0.08 to +0.11, p = 0.00391 for a change below the margin of 0.5). The plain "
        "change exceeds the residual change by 19.00 points (95 % interval +18.88 to +19.12, p = 0.00391). n = 8 "
        "paired seeds. Clean and online training error agree; the numbers are those of the weaker result."
    )


def test_conclusion_of_a_contradicted_degradation():
    study = make_study()
    (verdict,) = decide_contrasts(make_results(study, make_clean_errors(study, plain32=5.0, residual32=3.0)))
    assert verdict.conclusion == (
        "Contradicted within this budget (10 epochs): from depth 8 to depth 32, the training error of the residual "
        "networks rises by more than the margin of 0.5 (+2.02 points, 95 % interval +1.93 to +2.11, p = 0.00391). "
        "n = 8 paired seeds. Clean and online training error both show this. "
        "Each of the 3 ways to contradict is tested at 5 % / 3."
    )


def test_conclusion_of_a_supported_difference():
    study = make_study(contrasts=[{"kind": "difference", "a": A, "b": B}])
    test_errors = {variant.name: [4.0 + offset for offset in SEED_OFFSETS[:8]] for variant in study.variants}
    test_errors[A] = [2.0 + 2 * offset / 3 for offset in SEED_OFFSETS[:8]]
    (verdict,) = decide_contrasts(make_results(study, test_errors=test_errors))
    assert verdict.conclusion == (
        f"Supported within this budget (10 epochs): the test error of {A} is lower than that of {B} by 2.42 points "
        "(95 % interval −2.71 to −2.13, p = 0.00391 for the difference). n = 8 paired seeds."
    )


def test_conclusion_of_an_undecided_difference():
    study = make_study(contrasts=[{"kind": "difference", "a": A, "b": B, "side": "two-sided"}])
    test_errors = {variant.name: [4.0 + offset for offset in SEED_OFFSETS[:8]] for variant in study.variants}
    test_errors[A] = test_errors[A][::-1]
    (verdict,) = decide_contrasts(make_results(study, test_errors=test_errors))
    assert verdict.conclusion == (
        f"Undecided within this budget (10 epochs): Test error of {A} different from that of {B} – not established: "
        f"{A} − {B} ≠ 0 (0.00 points, 95 % interval −1.09 to +1.09, p = 1). n = 8 paired seeds. "
        "At the observed spread, about 56 seeds would decide an effect of 0.5 points (power 0.8)."
    )


def test_conclusion_of_a_preview_has_effects_without_intervals():
    study = make_study(seeds=[0, 1, 2])
    (verdict,) = decide_contrasts(make_results(study, make_clean_errors(study, plain32=20.0)))
    assert verdict.conclusion == (
        "Undecided within this budget (10 epochs): Depth degradation from depth 8 to 32 – a preview with no inference, "
        "n = 3 seeds (measured, in points of training error (clean): plain, depth 32 − depth 8 +19.00; residual, "
        "depth 32 − depth 8 +0.07; plain change − residual change +18.93)."
    )


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "no recorded trial"),
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
