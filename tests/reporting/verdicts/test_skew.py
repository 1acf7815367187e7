"""Skewed differences: the robust test stands beside the first, and a disagreement is undecided."""

import pytest
from reporting_helpers import TWO_VARIANTS, make_results, make_study

from harness.reporting.verdicts.decision import decide_contrasts

A, B = "cifar-resnet8-w8", "cifar-plain8-w8"
SYMMETRIC = [-1.3, -1.2, -1.1, -1.0, -1.0, -0.9, -0.8, -0.7]
DISPUTED = [-1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, 0.9]
"""Seven seeds are lower and one is nearly as much higher: p is 2/256, and the robust test doubts it."""
TAIL_THAT_HELPS = [-1.0, -1.1, -0.9, -1.0, -1.1, -0.9, -1.0, -9.0]
"""The long tail points to the claimed side, so that the mean is no smaller than it looks."""


def decide(differences, **changes):
    study = make_study(**{**TWO_VARIANTS, "seeds": list(range(len(differences))), **changes})
    errors = {A: [10.0 + d for d in differences], B: [10.0] * len(differences)}
    (verdict,) = decide_contrasts(make_results(study, test_errors=errors, gradients=False))
    return verdict


def test_symmetric_differences_have_one_test():
    verdict = decide(SYMMETRIC)
    assert (verdict.state, verdict.components[0].robust_p) == ("supported", None)
    assert "Warning" not in verdict.conclusion


def test_tests_that_disagree_leave_the_verdict_undecided():
    verdict = decide(DISPUTED)
    (component,) = verdict.components
    assert (verdict.state, verdict.p, component.reached_outcome) == ("undecided", 2 / 256, None)
    assert component.robust_p > 0.0375
    assert verdict.p_adjusted == pytest.approx(min(1.0, component.robust_p / 0.75))


def test_a_warning_stands_in_the_verdicts_own_sentence():
    verdict = decide(DISPUTED)
    assert "Warning: a few seeds differ much more than the others" in verdict.conclusion
    assert "by the robust test: undecided)" in verdict.conclusion
    assert any(caveat.startswith("Warning") for caveat in verdict.caveats)


def test_a_tail_that_points_to_the_claimed_side_is_no_reason_for_doubt():
    verdict = decide(TAIL_THAT_HELPS)
    assert (verdict.state, verdict.components[0].robust_p) == ("supported", None)


def test_a_robust_test_that_agrees_keeps_the_verdict_and_the_warning():
    verdict = decide([*[-5.0, -5.1, -4.9, -5.0, -5.05, -4.95, -5.0], -4.0])
    assert verdict.state == "supported"
    assert verdict.components[0].robust_p <= 0.0375
    assert "Warning" in verdict.conclusion
    assert "largest p = 1/256; the differences are skewed, and the robust test agrees; up to" in verdict.certainty


def test_a_later_stage_can_settle_a_disagreement():
    differences = [*DISPUTED, -2.5, *SYMMETRIC[1:]]
    verdict = decide(differences, decide={"first": 8, "step": 8, "most": 16})
    assert (verdict.state, verdict.stage.decided_at) == ("supported", 16)
