"""The decision on contrasts, for errors of which the right verdict is known."""

import pytest
from reporting_helpers import IMAGE, SEED_OFFSETS, make_clean_errors, make_results, make_study

from harness.reporting.statistics.proportions import binomial_interval
from harness.reporting.verdicts.decision import choose_state, decide_contrasts

DEEP_PLAIN, DEEP_RESIDUAL = "cifar-plain32-w8", "cifar-resnet32-w8"


def decide_one(results):
    (verdict,) = decide_contrasts(results)
    return verdict


def make_difference(**changes):
    return {"kind": "difference", "a": DEEP_RESIDUAL, "b": DEEP_PLAIN, **changes}


@pytest.mark.parametrize(
    ("p", "p_opposite", "state"),
    [
        (0.05, 0.3, "supported"),
        (0.3, 0.05, "contradicted"),
        (0.06, 0.06, "undecided"),
        (0.05, 0.05, "undecided"),
        (None, None, "undecided"),
        (0.01, None, "supported"),
    ],
)
def test_choose_state_needs_exactly_one_claim_to_pass_the_level(p, p_opposite, state):
    assert choose_state(p, p_opposite, 0.05) == state


def test_degradation_is_supported_where_only_plain_networks_rise():
    study = make_study()
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=20.0)))
    assert verdict.state == "supported"
    assert (verdict.n, verdict.p, verdict.p_adjusted) == (8, 1 / 256, 1 / 256)
    plain, residual, interaction = (component.weakest_test.effect for component in verdict.components)
    assert (plain, residual, interaction) == pytest.approx((19.0, 0.0, 19.0), abs=0.2)
    assert verdict.notes == ()


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        pytest.param({}, "plain networks rises by less than the margin of 0.5", id="plain networks do not rise"),
        pytest.param(
            {"plain32": 5.0, "residual32": 3.0},
            "residual networks rises by more than the margin of 0.5",
            id="residual networks rise",
        ),
        pytest.param(
            {"plain32": 2.0, "residual32": 1.4, "residual8": 0.1},
            "residual networks rises by more than that of the plain networks",
            id="residual networks rise more than plain ones",
        ),
    ],
)
def test_degradation_is_contradicted_in_each_of_three_ways(levels, words):
    study = make_study()
    verdict = decide_one(make_results(study, make_clean_errors(study, **levels)))
    assert verdict.state == "contradicted"
    assert words in verdict.conclusion
    assert verdict.p_opposite_adjusted == 3 / 256


def test_undecided_verdict_states_how_many_seeds_would_decide():
    study = make_study()
    errors = make_clean_errors(study) | {DEEP_PLAIN: [1.0, 9.0, 0.0, 7.0, 0.0, 0.5, 0.0, 8.0]}
    verdict = decide_one(make_results(study, errors))
    assert verdict.state == "undecided"
    assert verdict.seeds_to_decide > 100
    assert f"about {verdict.seeds_to_decide:,} seeds would decide an effect of 0.5 points" in verdict.conclusion


def test_equal_errors_in_all_seeds_need_more_images_not_more_seeds():
    """No wrong image among 1438 leaves room for an error of 0.26 %, whatever the number of seeds."""
    study = make_study(contrasts=[{"kind": "degradation", "shallow": 8, "deep": 32, "margin": 0.1}])
    no_errors = {variant.name: [0.0] * 8 for variant in study.variants if not variant.is_plain}
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=20.0) | no_errors))
    assert (verdict.state, verdict.seeds_to_decide) == ("undecided", None)
    assert "more images" in verdict.conclusion and "would decide" not in verdict.conclusion


def test_seeds_that_suffice_already_are_not_asked_for_again():
    study = make_study(contrasts=[make_difference(smallest_effect=5.0)])
    even, odd = ([2.0 + IMAGE * offset for offset in pattern * 4] for pattern in ([0, 1], [1, 0]))
    test_errors = {variant.name: even if variant.is_plain else odd for variant in study.variants}
    verdict = decide_one(make_results(study, test_errors=test_errors))
    assert (verdict.state, verdict.seeds_to_decide) == ("undecided", 8)
    assert "8 seeds suffice for an effect of 5 points (power 0.8)" in verdict.conclusion


def test_degradation_is_undecided_where_only_one_training_error_shows_it():
    study = make_study()
    results = make_results(study, make_clean_errors(study, plain32=20.0))
    frame = results.epochs
    frame.loc[(frame["variant"] == "cifar-plain8-w8") & (frame["epoch"] == 10), "train/error"] = 50.0
    verdict = decide_one(results)
    assert verdict.state == "undecided"
    assert verdict.components[0].weakest_test.metric == "train/error"
    assert verdict.components[0].p == 1.0


def test_a_rise_below_the_margin_is_undecided():
    study = make_study()
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=1.2)))
    assert verdict.state == "undecided"
    assert "smaller than the margin" in verdict.conclusion


@pytest.mark.parametrize(("n", "words"), [(1, "smoke run"), (2, "preview with no inference"), (4, "preview with no")])
def test_fewer_than_five_seeds_give_no_inference(n, words):
    study = make_study(seeds=list(range(n)))
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=20.0)))
    assert (verdict.state, verdict.p, verdict.seeds_to_decide) == ("undecided", None, None)
    assert all(test.p is None and test.low is None for component in verdict.components for test in component.tests)
    assert words in verdict.conclusion
    assert "p =" not in verdict.conclusion
    assert "interval" not in verdict.conclusion


@pytest.mark.parametrize("n", [5, 7])
def test_fewer_than_eight_seeds_are_descriptive(n):
    study = make_study(seeds=list(range(n)))
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=20.0)))
    assert verdict.state == "undecided"
    assert f"descriptive with n = {n} seeds; 8 seeds are needed for claims" in verdict.conclusion
    assert verdict.components[0].weakest_test.low is not None
    assert verdict.components[0].p is None


def test_degradation_by_diverged_trials_alone_is_undecided():
    study = make_study(seeds=list(range(8)))
    diverged = [(DEEP_PLAIN, seed) for seed in range(7)]
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=1.3), diverged=diverged))
    assert verdict.state == "undecided"
    assert verdict.components[0].weakest_test.effect > 70
    assert len(verdict.diverged) == 7
    assert verdict.without_diverged.n == 1
    assert "differs with and without the seeds of diverged trials" in verdict.conclusion


def test_degradation_beside_a_diverged_trial_stays_supported():
    study = make_study(seeds=list(range(10)))
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=20.0), diverged=[(DEEP_PLAIN, 3)]))
    assert (verdict.state, verdict.n) == ("supported", 10)
    assert (verdict.without_diverged.state, verdict.without_diverged.n) == ("supported", 9)


def test_components_with_a_missing_trial_are_tested_by_welch():
    study = make_study(seeds=list(range(10)))
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=20.0), missing=[(DEEP_PLAIN, 4)]))
    assert (verdict.state, verdict.n) == ("supported", 9)
    assert [component.weakest_test.comparison.method for component in verdict.components] == [
        "welch",
        "paired",
        "welch",
    ]


def test_a_variant_without_trials_is_undecided():
    study = make_study()
    missing = [(DEEP_RESIDUAL, seed) for seed in study.experiment.seeds]
    verdict = decide_one(make_results(study, make_clean_errors(study), missing=missing))
    assert (verdict.state, verdict.n) == ("undecided", 0)
    assert "one of the compared variants has no recorded trial" in verdict.conclusion


def test_equal_errors_in_all_seeds_have_an_interval_over_images():
    study = make_study()
    verdict = decide_one(make_results(study, {variant.name: [0.0] * 8 for variant in study.variants}))
    test = verdict.components[1].weakest_test
    largest = binomial_interval(0, 1438, 0.975)[1]
    assert test.over_images
    assert (test.low, test.high) == pytest.approx((-largest, largest))


@pytest.mark.parametrize(
    ("side", "a", "b", "state"),
    [
        ("less", 2.0, 5.0, "supported"),
        ("less", 5.0, 2.0, "contradicted"),
        ("greater", 5.0, 2.0, "supported"),
        ("two-sided", 5.0, 2.0, "supported"),
        ("two-sided", 2.0, 2.0, "undecided"),
        ("less", 2.0, 2.0, "undecided"),
    ],
)
def test_difference_is_decided_by_its_declared_side(side, a, b, state):
    study = make_study(contrasts=[make_difference(side=side)])
    offsets = SEED_OFFSETS[:8]
    test_errors = {variant.name: [4.0 + offset for offset in offsets] for variant in study.variants}
    test_errors[DEEP_RESIDUAL] = [a + offset for offset in offsets]
    test_errors[DEEP_PLAIN] = [b + offset for offset in reversed(offsets)]
    assert decide_one(make_results(study, make_clean_errors(study), test_errors=test_errors)).state == state


def test_several_verdicts_are_corrected_by_holm():
    contrasts = [make_difference(b=name) for name in (DEEP_PLAIN, "cifar-plain8-w8", "cifar-resnet8-w8")]
    study = make_study(contrasts=contrasts)
    test_errors = {variant.name: [4.0 + offset for offset in SEED_OFFSETS[:8]] for variant in study.variants}
    test_errors[DEEP_RESIDUAL] = [1.0] * 8
    # Seven seeds of eight are better, one is worse.
    test_errors["cifar-resnet8-w8"] = [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.1]
    verdicts = decide_contrasts(make_results(study, make_clean_errors(study), test_errors=test_errors))
    assert [verdict.p for verdict in verdicts] == [1 / 256, 1 / 256, 2 / 256]
    # p is divided by three quarters, the claim's share of the level. Holm's factors are 3, 2 and 1.
    assert [verdict.p_adjusted for verdict in verdicts] == [4 / 256, 4 / 256, 4 / 256]
    assert all("after Holm's correction for 3 verdicts" in verdict.conclusion for verdict in verdicts)


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (1, "a smoke run with n = 1 seed"),
        (3, "a preview with no inference, n = 3"),
        (5, "descriptive with n = 5"),
        (8, "n = 8 paired seeds"),
    ],
)
def test_equal_errors_in_the_seeds_of_one_variant_leave_the_spread_of_the_other(n, words):
    study = make_study(contrasts=[make_difference()], seeds=list(range(n)))
    test_errors = {variant.name: [4.0 + offset for offset in SEED_OFFSETS[:n]] for variant in study.variants}
    test_errors[DEEP_RESIDUAL] = [2.0] * n
    verdict = decide_one(make_results(study, make_clean_errors(study), test_errors=test_errors))
    (test,) = verdict.components[0].tests
    assert test.comparison.correlation is None and not test.over_images
    assert verdict.state == ("supported" if n == 8 else "undecided")
    assert verdict.p == (1 / 256 if n == 8 else None)
    assert (test.low is not None) == (n >= 5)
    assert words in verdict.conclusion
