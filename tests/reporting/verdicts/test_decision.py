"""The decision on contrasts, for errors of which the right verdict is known."""

import pytest
from reporting_helpers import IMAGE, SEED_OFFSETS, make_clean_errors, make_results, make_study

from harness.reporting.statistics.proportions import binomial_interval
from harness.reporting.verdicts.decision import decide_contrasts
from harness.tracking.results_table import Results

DEEP_PLAIN, DEEP_RESIDUAL = "cifar-plain32-w8", "cifar-resnet32-w8"


def decide_one(results):
    (verdict,) = decide_contrasts(results)
    return verdict


def make_difference(**changes):
    return {"kind": "difference", "a": DEEP_RESIDUAL, "b": DEEP_PLAIN, **changes}


def list_outcomes(verdict):
    """Return the name of the outcome that each component has reached."""
    return [c.reached_outcome and c.reached_outcome.outcome.name for c in verdict.components]


def test_degradation_is_supported_where_only_plain_networks_rise():
    study = make_study()
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=20.0)))
    assert (verdict.state, list_outcomes(verdict)) == ("supported", ["rises", "not worse", "positive"])
    # The residual component has half of the level, so its p counts twice.
    assert (verdict.n, verdict.p, verdict.p_adjusted) == (8, 1 / 256, 2 / 256)
    plain, residual, interaction = (component.weakest_test.effect for component in verdict.components)
    assert (plain, residual, interaction) == pytest.approx((19.0, 0.0, 19.0), abs=0.2)


@pytest.mark.parametrize(
    ("levels", "component", "outcome"),
    [
        pytest.param({}, 0, "negligible", id="plain networks change by less than the margin"),
        pytest.param({"plain8": 3.0}, 0, "falls", id="plain networks fall"),
        pytest.param({"plain32": 5.0, "residual32": 3.0}, 1, "worse", id="residual networks rise"),
        pytest.param({"plain32": 2.0, "residual32": 2.5}, 2, "not positive", id="residual networks rise more"),
    ],
)
def test_degradation_is_contradicted_in_each_of_four_ways(levels, component, outcome):
    study = make_study()
    verdict = decide_one(make_results(study, make_clean_errors(study, **levels)))
    assert verdict.state == "contradicted"
    assert list_outcomes(verdict)[component] == outcome
    assert verdict.p_opposite_adjusted == 4 / 256


def test_a_rise_that_may_be_smaller_than_the_margin_is_undecided():
    """The rise is about the margin of 0.5 points, so that neither "rises" nor "negligible" is established."""
    study = make_study()
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=1.5)))
    assert (verdict.state, list_outcomes(verdict)) == ("undecided", [None, "not worse", "positive"])


def test_degradation_is_undecided_where_only_one_training_error_shows_it():
    study = make_study()
    results = make_results(study, make_clean_errors(study, plain32=20.0))
    frame = results.epochs
    frame.loc[(frame["variant"] == "cifar-plain8-w8") & (frame["epoch"] == 10), "train/error"] = 50.0
    verdict = decide_one(results)
    assert (verdict.state, list_outcomes(verdict)[0]) == ("undecided", None)
    assert verdict.components[0].weakest_test.metric == "train/error"
    assert verdict.components[0].claimed_p == 1.0


@pytest.mark.parametrize("smallest_effect", [5.0, 25.0])
def test_the_plain_change_is_compared_with_its_own_smallest_effect(smallest_effect):
    contrast = {"kind": "degradation", "shallow": 8, "deep": 32, "margin": 0.5, "smallest_effect": smallest_effect}
    study = make_study(contrasts=[contrast])
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=20.0)))
    assert verdict.state == ("supported" if smallest_effect == 5 else "contradicted")


@pytest.mark.parametrize("n", [1, 2, 4])
def test_fewer_than_five_seeds_give_no_inference(n):
    study = make_study(seeds=list(range(n)))
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=20.0)))
    assert (verdict.state, verdict.p, verdict.seeds_to_decide) == ("undecided", None, None)
    assert all(not test.p and test.low is None for component in verdict.components for test in component.tests)


@pytest.mark.parametrize("n", [5, 7])
def test_fewer_than_eight_seeds_are_descriptive(n):
    study = make_study(seeds=list(range(n)))
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=20.0)))
    assert (verdict.state, verdict.p) == ("undecided", None)
    assert verdict.components[0].weakest_test.low is not None


def test_a_pair_that_was_lost_is_dropped():
    study = make_study(seeds=list(range(10)))
    errors = make_clean_errors(study, plain32=20.0)
    verdict = decide_one(make_results(study, errors, missing=[(DEEP_PLAIN, 4)]))
    assert (verdict.state, verdict.n) == ("supported", 9)
    assert [component.n for component in verdict.components] == [9, 10, 9]
    others = make_study(seeds=[seed for seed in range(10) if seed != 4])
    fewer = {name: [*values[:4], *values[5:]] for name, values in errors.items()}
    complete = decide_one(make_results(others, fewer))
    assert complete.components[0].tests[0].differences == verdict.components[0].tests[0].differences


def test_a_variant_without_trials_is_undecided():
    study = make_study()
    missing = [(DEEP_RESIDUAL, seed) for seed in study.experiment.seeds]
    verdict = decide_one(make_results(study, make_clean_errors(study), missing=missing))
    assert (verdict.state, verdict.n) == ("undecided", 0)


def test_memorised_training_images_are_no_sample_of_images():
    """All seeds have no training error. That needs no interval over images, and the margin is respected."""
    study = make_study()
    no_errors = {variant.name: [0.0] * 8 for variant in study.variants if not variant.is_plain}
    verdict = decide_one(make_results(study, make_clean_errors(study, plain32=20.0) | no_errors))
    assert verdict.state == "supported"
    test = verdict.components[1].weakest_test
    assert (test.over_images, test.low, test.high) == (False, None, None)


@pytest.mark.parametrize(("wrong", "state"), [(2, "undecided"), (60, "supported")])
def test_equal_test_errors_in_all_seeds_are_compared_over_images(wrong, state):
    study = make_study(contrasts=[make_difference()])
    test_errors = {variant.name: [0.0] * 8 for variant in study.variants} | {DEEP_PLAIN: [100 * wrong / 359] * 8}
    verdict = decide_one(make_results(study, make_clean_errors(study), test_errors=test_errors))
    (test,) = verdict.components[0].tests
    assert test.over_images
    assert test.high == pytest.approx(binomial_interval(0, 359, 0.975)[1] - binomial_interval(wrong, 359, 0.975)[0])
    assert (verdict.state, verdict.seeds_to_decide) == (state, None)


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
    # Seven seeds of eight are lower, one is a little higher.
    test_errors["cifar-resnet8-w8"] = [1.5, 2.0, 2.0, 2.0, 2.0, 2.0, 2.5, 0.9]
    verdicts = decide_contrasts(make_results(study, make_clean_errors(study), test_errors=test_errors))
    assert [verdict.p for verdict in verdicts] == [1 / 256, 1 / 256, 2 / 256]
    # p is divided by three quarters, the claim's share of the level. Holm's factors are 3, 2 and 1.
    assert [verdict.p_adjusted for verdict in verdicts] == pytest.approx([4 / 256, 4 / 256, 4 / 256])


@pytest.mark.parametrize(("level", "states"), [(0.021, {"supported"}), (0.015, {"undecided"})])
def test_states_follow_from_the_adjusted_p_values_in_a_fixed_design(level, states):
    """Three contrasts with p = 1/256 need 3 x 1/256 x 4/3 = 4/256 = 0.0156."""
    contrasts = [make_difference(b=name) for name in (DEEP_PLAIN, "cifar-plain8-w8", "cifar-resnet8-w8")]
    study = make_study(contrasts=contrasts, level=level)
    test_errors = {variant.name: [4.0 + offset for offset in SEED_OFFSETS[:8]] for variant in study.variants}
    test_errors[DEEP_RESIDUAL] = [1.0 + offset for offset in SEED_OFFSETS[1:9]]
    verdicts = decide_contrasts(make_results(study, make_clean_errors(study), test_errors=test_errors))
    assert {verdict.state for verdict in verdicts} == states
    assert {verdict.p_adjusted <= level for verdict in verdicts} == {states == {"supported"}}


def test_an_empty_record_is_undecided():
    study = make_study()
    empty = make_results(study, make_clean_errors(study)).epochs.iloc[:0]
    assert decide_one(Results(study, empty)).state == "undecided"


def test_undecided_verdict_has_a_range_of_seeds_that_would_decide_all_of_it():
    study = make_study()
    errors = make_clean_errors(study) | {DEEP_PLAIN: [1.0, 9.0, 0.0, 7.0, 0.0, 0.5, 0.0, 8.0]}
    needed = decide_one(make_results(study, errors)).seeds_to_decide
    assert 100 < needed.low < needed.likely < needed.high
    assert (needed.power, needed.effect) == (0.8, 0.5)


def test_a_larger_smallest_effect_needs_fewer_seeds():
    even, odd = ([2.0 + IMAGE * offset for offset in pattern * 4] for pattern in ([0, 1], [1, 0]))
    seeds = []
    for smallest_effect in (0.01, 5.0):
        study = make_study(contrasts=[make_difference(smallest_effect=smallest_effect)])
        test_errors = {variant.name: even if variant.is_plain else odd for variant in study.variants}
        seeds.append(decide_one(make_results(study, test_errors=test_errors)).seeds_to_decide.likely)
    assert seeds[0] > seeds[1] == 8
