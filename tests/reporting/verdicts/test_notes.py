import pytest
from reporting_helpers import make_clean_errors, make_results, make_study

from harness.reporting.verdicts.decision import decide_contrasts

DEEP_PLAIN, DEEP_RESIDUAL = "cifar-plain32-w8", "cifar-resnet32-w8"
WELCH = "Some pairs are incomplete, so Welch's test of independent groups replaces the paired test there."


@pytest.fixture
def decide():
    """Return the verdict on a degradation with ten seeds, for trials that diverged or are missing."""

    def decide(**problems):
        study = make_study(seeds=list(range(10)))
        (verdict,) = decide_contrasts(make_results(study, make_clean_errors(study, plain32=20.0), **problems))
        return verdict

    return decide


def test_a_diverged_trial_is_named_with_both_verdicts(decide):
    verdict = decide(diverged=[(DEEP_PLAIN, 3)])
    assert verdict.diverged == ("cifar-plain32-w8 seed 3",)
    assert verdict.notes == (
        "With the diverged trials at chance error the verdict is supported (n = 10); "
        "without their seeds it is supported (n = 9).",
        "1 trial diverged and counts at chance error: cifar-plain32-w8 seed 3.",
    )


def test_a_missing_trial_is_named_with_the_test_that_replaces_the_paired_one(decide):
    verdict = decide(missing=[(DEEP_PLAIN, 4)])
    assert verdict.missing == ("cifar-plain32-w8 seed 4",)
    assert verdict.notes == ("1 trial is not recorded: cifar-plain32-w8 seed 4.", WELCH)


def test_a_variant_without_values_is_noted(decide):
    verdict = decide(missing=[(DEEP_RESIDUAL, seed) for seed in range(10)])
    assert len(verdict.missing) == 10
    assert verdict.notes[-1] == (
        "At least one compared variant has no value of: Training error, clean and Training error, online."
    )
