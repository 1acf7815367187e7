import pytest
from reporting_helpers import TWO_VARIANTS, make_clean_errors, make_results, make_study

from harness.reporting.verdicts.decision import decide_contrasts

DEGRADATION = {"kind": "degradation", "shallow": 8, "deep": 32, "margin": 0.5}
DIFFERENCE = TWO_VARIANTS["contrasts"][0]


def decide(contrast):
    study = make_study(contrasts=[contrast])
    (verdict,) = decide_contrasts(make_results(study, make_clean_errors(study, plain32=20.0)))
    return verdict


@pytest.mark.parametrize(
    ("contrast", "text"),
    [
        (DEGRADATION, "No reason is given for the margin of 0.5 points."),
        (
            {**DEGRADATION, "margin_reason": "seven images are more than seeds differ."},
            "The margin is 0.5 points: seven images are more than seeds differ.",
        ),
        (
            DIFFERENCE,
            "No reason is given for the smallest effect of interest of 0.5 points, which plans seeds; the test is "
            "against zero.",
        ),
        (
            {**DIFFERENCE, "margin_reason": "Two images."},
            "The smallest effect of interest is 0.5 points (it plans seeds; the test is against zero): Two images.",
        ),
    ],
)
def test_a_verdict_says_why_its_margin_is_what_it_is(contrast, text):
    verdict = decide(contrast)
    assert text in verdict.caveats
    assert verdict.margin_reason == contrast.get("margin_reason", "")


@pytest.mark.parametrize(("lower", "is_small"), [(0.3, True), (3.0, False)])
def test_a_difference_below_the_smallest_effect_of_interest_is_called_so(lower, is_small):
    study = make_study(**TWO_VARIANTS)
    errors = {DIFFERENCE["a"]: [5.0 - lower + 0.01 * (seed - 3.5) for seed in range(8)], DIFFERENCE["b"]: [5.0] * 8}
    (verdict,) = decide_contrasts(make_results(study, test_errors=errors, gradients=False))
    assert verdict.state == "supported"
    text = "The difference of 0.30 points is less than the smallest effect of interest, 0.5 points."
    assert (text in verdict.caveats) == is_small
    assert any("is less than the smallest effect" in caveat for caveat in verdict.caveats) == is_small


def test_numbers_after_an_early_stop_are_called_naive():
    study = make_study(**TWO_VARIANTS, seeds=list(range(8)), decide={"first": 8, "step": 4, "most": 16})
    errors = {DIFFERENCE["a"]: [1.0 + 0.1 * (i % 3) for i in range(16)], DIFFERENCE["b"]: [5.0] * 16}
    (verdict,) = decide_contrasts(make_results(study, test_errors=errors, gradients=False), stage=8)
    assert "n = 8 paired seeds, decided at the stage of 8 of at most 16 seeds" in verdict.conclusion
    assert any("Corrected ones are under Stages." in caveat for caveat in verdict.caveats)
