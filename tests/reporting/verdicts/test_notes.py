import pytest
from reporting_helpers import make_clean_errors, make_results, make_study

from harness.reporting.verdicts.decision import decide_contrasts

DEEP_PLAIN, DEEP_RESIDUAL = "cifar-plain32-w8", "cifar-resnet32-w8"


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
    assert verdict.caveats[1] == (
        "With 1 diverged trial at chance error the tests say supported (n = 10); without it they say supported (n = 9)."
    )
    assert "1 trial diverged and counts at chance error: cifar-plain32-w8 seed 3." in verdict.notes


def test_a_missing_trial_is_named_with_the_pair_that_is_dropped(decide):
    verdict = decide(missing=[(DEEP_PLAIN, 4)])
    assert verdict.missing == ("cifar-plain32-w8 seed 4",)
    assert verdict.notes[-1] == (
        "1 trial is not recorded: cifar-plain32-w8 seed 4. Without its partner, 1 seed counts in no pair."
    )


def test_a_variant_without_values_is_noted(decide):
    verdict = decide(missing=[(DEEP_RESIDUAL, seed) for seed in range(10)])
    assert len(verdict.missing) == 10
    assert verdict.notes[-1].startswith("10 trials are not recorded: cifar-resnet32-w8 seeds 0, 1, 2")


def test_remarks_are_the_caveats_that_the_conclusion_lacks_and_the_notes(decide):
    verdict = decide(diverged=[(DEEP_PLAIN, 3)])
    assert not set(verdict.notes) & set(verdict.caveats)
    assert verdict.remarks == (*(c for c in verdict.caveats if c not in verdict.conclusion), *verdict.notes)
