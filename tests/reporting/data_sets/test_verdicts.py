"""Verdicts over several data sets: one for each, Holm's method over all of them, and how many agree."""

from dataclasses import dataclass, replace

import pytest
from data_sets_helpers import DEGRADED, FLAT, make_data_sets_results, make_data_sets_study
from reporting_helpers import QUICKSTART, make_results, make_study

from harness.reporting.data_sets.verdicts import (
    decide_data_sets,
    decide_views,
    list_verdicts,
    select_verdicts,
    write_lines,
)
from harness.reporting.verdicts.decision import decide_contrasts


@dataclass(frozen=True)
class PlantedVerdict:
    """A verdict with a planted p value."""

    state: str
    level: float


def decide_by_p(ps, state="supported"):
    """Return a function that decides one contrast of each view by its planted p value."""

    def decide(view):
        p, level = ps[view.study.data.title], 0.05 / view.study.open_verdict_count
        return [PlantedVerdict(state if p <= level else "undecided", level)]

    return decide


@pytest.mark.parametrize(
    ("ps", "states"),
    [
        ({"digits": 0.02, "fashion-mnist": 0.04}, ["supported", "supported"]),
        ({"digits": 0.04, "fashion-mnist": 0.02}, ["supported", "supported"]),
        ({"digits": 0.03, "fashion-mnist": 0.04}, ["undecided", "undecided"]),
        ({"digits": 0.02, "fashion-mnist": 0.06}, ["supported", "undecided"]),
    ],
)
@pytest.mark.parametrize("state", ["supported", "contradicted"])
def test_views_are_decided_by_holms_method_over_all_data_sets(ps, states, state):
    results = make_data_sets_results(FLAT, FLAT)
    decided = decide_views(results, decide_by_p(ps, state))
    assert [verdicts[0].state for verdicts in decided] == [s.replace("supported", state) for s in states]


def test_supported_verdict_leaves_no_level_to_contradicting_ones():
    # The two families are separate: one supported verdict must not make it easier to contradict another one.
    results = make_data_sets_results(FLAT, FLAT)

    def decide(view):
        level = 0.05 / view.study.open_verdict_count
        if view.study.data.title == "digits":
            return [PlantedVerdict("supported", level)]
        return [PlantedVerdict("contradicted" if level >= 0.04 else "undecided", level)]

    assert [verdicts[0].state for verdicts in decide_views(results, decide)] == ["supported", "undecided"]


def test_contrast_that_holds_on_both_data_sets_is_supported_on_two_of_two(agreeing):
    (several,) = decide_data_sets(agreeing)
    assert several.state == "supported"
    assert several.answer == "Depth degradation from depth 8 to 32: supported on 2 of 2 data sets."
    assert "2 verdicts share the level of 0.05 by Holm's method" in several.rule


def test_contrast_that_holds_on_one_data_set_is_undecided_as_a_whole(differing):
    (several,) = decide_data_sets(differing)
    assert several.state == "undecided"
    assert several.answer.endswith("supported on 1 of 2 data sets, contradicted on fashion-mnist.")


def test_data_set_without_trials_is_undecided():
    (several,) = decide_data_sets(make_data_sets_results(DEGRADED, None))
    assert several.answer.endswith("supported on 1 of 2 data sets, undecided on fashion-mnist.")
    assert several.verdicts["fashion-mnist"].n == 0


def test_verdict_on_one_data_set_is_corrected_for_all_of_them(agreeing):
    view = agreeing.views[0]
    (of_two,) = decide_contrasts(view)
    (of_one,) = decide_contrasts(replace(view, study=view.study.replace(family_data_sets=1)))
    assert of_two.p_adjusted == pytest.approx(2 * of_one.p_adjusted)


def test_order_of_verdicts_is_whole_then_data_sets(differing):
    verdicts = [verdict for several in decide_data_sets(differing) for verdict in list_verdicts(several)]
    assert [verdict.state for verdict in verdicts] == ["undecided", "supported", "contradicted"]
    assert verdicts[1].title == "Depth degradation from depth 8 to 32, on digits"


def test_verdicts_are_selected_by_the_name_of_their_data_set_in_any_order(differing):
    verdicts = [verdict for several in decide_data_sets(differing) for verdict in list_verdicts(several)]
    for order in (verdicts, verdicts[::-1], verdicts[1:]):
        assert [v.state for v in select_verdicts(order, "fashion-mnist")] == ["contradicted"]
        assert [v.state for v in select_verdicts(order, "digits")] == ["supported"]
    assert [v.state for v in select_verdicts(verdicts[::-1])] == ["undecided"]


def test_each_contrast_has_its_own_verdicts_on_every_data_set_in_any_order():
    (contrast,) = QUICKSTART["contrasts"]
    shallower = {**contrast, "deep": 20}
    states = []
    for contrasts in ([contrast, shallower], [shallower, contrast]):
        study = make_data_sets_study(contrasts=contrasts)
        found = decide_data_sets(make_data_sets_results(DEGRADED, FLAT, study=study))
        assert [several.title[-2:] for several in found] == [str(spec["deep"]) for spec in contrasts]
        assert all(v.title == several.title for several in found for v in several.verdicts.values())
        states.append({several.title: {k: v.state for k, v in several.verdicts.items()} for several in found})
    assert states[0] == states[1]
    assert states[0]["Depth degradation from depth 8 to 32"]["digits"] == "supported"


def test_single_data_set_keeps_its_lines_and_verdicts():
    results = make_results(make_study())
    assert decide_views(results) == [decide_contrasts(results)]
    verdicts = decide_contrasts(results)
    assert select_verdicts(verdicts) == select_verdicts(verdicts, "digits") == verdicts
    assert write_lines(results).found == verdicts[0].answer


def test_lines_name_data_sets_seeds_budget_and_level(differing):
    lines = write_lines(differing)
    assert lines.certainty == (
        "n = 8 pairs of seeds on each of 2 data sets (digits and fashion-mnist), within 10 epochs; 2 verdicts share "
        "the level of 0.05."
    )


def test_lines_without_contrasts_say_so():
    study = make_data_sets_study(contrasts=[])
    results = make_data_sets_results(FLAT, FLAT, study=study)
    assert write_lines(results).found == "No contrast is declared, so there is no verdict."


def test_declared_looks_are_taken_on_each_data_set():
    study = make_data_sets_study(looks=[8, 12], seeds=list(range(12)))
    first = replace(make_data_sets_results(DEGRADED, DEGRADED, study=study))
    (several,) = decide_data_sets(first)
    assert several.state == "supported"
    assert [verdict.stage.stages for verdict in several.verdicts.values()] == [(8, 12), (8, 12)]
