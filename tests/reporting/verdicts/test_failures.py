"""Trials that diverged or did not train: named, and the verdict is made with and without them."""

import math
from pathlib import Path

import pytest
from reporting_helpers import TWO_VARIANTS, make_clean_errors, make_results, make_study, make_untrained

from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.failures import find_failures
from harness.tracking.results_csv import read_csv

DEEP_PLAIN = "cifar-plain32-w8"
TWO_VARIANTS_IN_TRAINING = {
    **TWO_VARIANTS,
    "contrasts": [{**TWO_VARIANTS["contrasts"][0], "metric": "train/error_clean"}],
}
RESNET_FAMILY = Path(__file__).parents[3] / "reports" / "resnet-family" / "results.csv"


def find(results):
    return find_failures(results.study, results.final, list(results.study.contrast_variants[0].values()))


def decide(results):
    (verdict,) = decide_contrasts(results)
    return verdict


def test_a_variant_at_the_loss_and_error_of_guessing_is_untrainable():
    failures = find(make_untrained(range(10)))
    assert (failures.untrainable, len(failures.untrained), len(failures.seeds)) == ((DEEP_PLAIN,), 10, 10)


@pytest.mark.parametrize(
    ("loss", "error"), [(1.0, 90.0), (math.log(10), 60.0)], ids=["loss below guessing", "error below chance"]
)
def test_a_bad_variant_that_has_learned_something_is_trained(loss, error):
    assert find(make_untrained(range(10), loss, error)).untrained == ()


@pytest.mark.parametrize(("tolerance", "count"), [(0.05, 10), (0.001, 0)])
def test_the_tolerance_is_declared(tolerance, count):
    assert len(find(make_untrained(range(10), 0.98 * math.log(10), 88.5, tolerance)).untrained) == count


@pytest.mark.parametrize(("untrained", "is_untrainable"), [(5, False), (6, True)])
def test_a_variant_is_untrainable_if_most_of_its_seeds_are(untrained, is_untrainable):
    failures = find(make_untrained(range(untrained)))
    assert (len(failures.untrained), bool(failures.untrainable)) == (untrained, is_untrainable)
    assert len(failures.seeds) == (10 if is_untrainable else untrained)


def test_degradation_that_rests_on_an_untrainable_variant_is_undecided():
    verdict = decide(make_untrained(range(10)))
    assert (verdict.state, verdict.with_failures_state, verdict.untrained) == ("undecided", "supported", (DEEP_PLAIN,))
    assert (verdict.without_failures.state, verdict.without_failures.n) == ("undecided", 0)
    assert verdict.seeds_to_decide is None


def list_outcomes(verdict):
    return [component.outcome_name for component in verdict.components]


def test_components_with_an_untrainable_variant_have_no_outcome():
    verdict = decide(make_untrained(range(10)))
    assert list_outcomes(verdict) == ["untrainable", "not worse", "untrainable"]
    assert [component.untrainable for component in verdict.components] == [(DEEP_PLAIN,), (), (DEEP_PLAIN,)]
    assert all(component.reached_outcome is None for component in verdict.components if component.untrainable)


def test_an_untrainable_residual_network_leaves_the_plain_change_its_outcome():
    verdict = decide(make_untrained(range(10), name="cifar-resnet32-w8"))
    assert (verdict.state, list_outcomes(verdict)) == ("undecided", ["rises", "untrainable", "untrainable"])


def test_difference_to_an_untrainable_variant_is_undecided_and_has_no_outcome():
    verdict = decide(make_untrained(range(10), name="cifar-plain8-w8", **TWO_VARIANTS_IN_TRAINING))
    assert (verdict.state, list_outcomes(verdict), verdict.untrained) == (
        "undecided", ["untrainable"], ("cifar-plain8-w8",),
    )  # fmt: skip
    assert verdict.with_failures_state == "supported"


def test_a_trained_variant_beside_an_untrainable_one_has_an_outcome():
    """Each contrast counts the untrainable variants among its own only."""
    twins = {"kind": "difference", "a": "cifar-resnet8-w8", "b": "cifar-plain8-w8"}
    degradation = {"kind": "degradation", "shallow": 8, "deep": 32, "margin": 0.5}
    verdicts = decide_contrasts(make_untrained(range(10), contrasts=[twins, degradation]))
    assert [verdict.untrained for verdict in verdicts] == [(), (DEEP_PLAIN,)]
    assert all(not component.untrainable for component in verdicts[0].components)


def test_single_untrained_seeds_are_left_out_of_the_second_verdict():
    verdict = decide(make_untrained([3, 5]))
    assert (verdict.state, verdict.untrained, len(verdict.untrained_trials)) == ("supported", (), 2)
    assert (verdict.without_failures.state, verdict.without_failures.n) == ("supported", 8)


def test_the_untrained_network_of_a_published_report_is_named():
    """All seeds of its plain network of 101 layers end at 89 to 90 % with a loss of 2.29 to 2.35."""
    trained, untrained = decide_contrasts(read_csv(RESNET_FAMILY))
    assert (trained.untrained, trained.without_failures) == ((), None)
    assert (untrained.state, untrained.untrained) == ("undecided", ("small-plain101-w8",))
    assert len(untrained.untrained_trials) == 8
    assert "small-plain101-w8 is untrainable under this recipe" in untrained.conclusion
    assert "without it there is no comparison" in untrained.conclusion
    assert untrained.answer == (
        "Not decided: from depth 50 to 101, small-plain101-w8 is untrainable under this recipe; the training error of "
        "the residual networks rises by less than 1 point."
    )
    assert list_outcomes(untrained) == ["untrainable", "not worse", "untrainable"]


def test_degradation_by_diverged_trials_alone_is_undecided():
    """All seeds of the deep plain network diverge, and count at chance error."""
    study = make_study(seeds=list(range(8)))
    diverged = [(DEEP_PLAIN, seed) for seed in range(8)]
    verdict = decide(make_results(study, make_clean_errors(study, plain32=1.3), diverged=diverged))
    assert (verdict.state, verdict.with_failures_state) == ("undecided", "supported")
    assert verdict.components[0].weakest_test.effect > 70
    assert (len(verdict.diverged), verdict.without_failures.n) == (8, 0)


def test_degradation_beside_a_diverged_trial_stays_supported():
    study = make_study(seeds=list(range(10)))
    verdict = decide(make_results(study, make_clean_errors(study, plain32=20.0), diverged=[(DEEP_PLAIN, 3)]))
    assert (verdict.state, verdict.n) == ("supported", 10)
    assert (verdict.without_failures.state, verdict.without_failures.n) == ("supported", 9)


def test_a_diverged_trial_is_not_called_untrained():
    failures = find(make_untrained([], diverged=[(DEEP_PLAIN, 1)]))
    assert (failures.diverged, failures.untrained, failures.seeds) == (((DEEP_PLAIN, 1),), (), {1})
