"""Interim looks: which verdicts are exploratory, and which looks the record keeps."""

from dataclasses import replace

import pytest
from reporting_helpers import TWO_VARIANTS, make_results, make_study

from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.interim_looks import add_looks

(CONTRAST,) = TWO_VARIANTS["contrasts"]
A, B = CONTRAST["a"], CONTRAST["b"]


def take_look(n, recorded=None, first_seed=10, **changes):
    """Decide an experiment with ``n`` seeds; the experiment ``recorded`` holds the earlier looks.

    Returns:
        The verdict of its report, and the experiment with the looks that the record then holds.
    """
    study = make_study(**{**TWO_VARIANTS, "seeds": list(range(first_seed, first_seed + n)), **changes})
    test_errors = {A: [3.0 + 0.1 * seed for seed in range(n)], B: [4.0 + 0.1 * seed for seed in range(n)]}
    results = make_results(study.with_looks_of(recorded), test_errors=test_errors, gradients=False)
    for_record, for_report = add_looks(results, decide_contrasts(results))
    (verdict,) = decide_contrasts(replace(results, study=for_report))
    return verdict, for_record


def test_the_first_look_is_not_exploratory():
    verdict, recorded = take_look(8)
    assert (verdict.state, verdict.exploratory, verdict.notes) == ("supported", "", ())
    assert [(len(look.seeds), look.declared) for look in recorded.looks] == [(8, ())]


def test_the_same_look_again_gives_the_same_verdict_and_record():
    verdict, recorded = take_look(8)
    again, after = take_look(8, recorded)
    assert (again, after.looks) == (verdict, recorded.looks)


def test_seeds_added_after_an_undeclared_look_make_the_verdict_exploratory():
    _, recorded = take_look(8)
    verdict, recorded = take_look(12, recorded)
    assert verdict.conclusion.startswith("Supported within this budget (1 epoch), exploratory: ")
    assert (
        verdict.notes[0]
        == verdict.exploratory
        == (
            "Exploratory: this verdict was already computed with 8 seeds (declared then: no looks). "
            "Every undeclared look raises the chance of a false positive above the level."
        )
    )
    assert [len(look.seeds) for look in recorded.looks] == [8, 12]


def test_every_earlier_undeclared_look_is_named():
    _, recorded = take_look(8)
    _, recorded = take_look(12, recorded)
    verdict, _ = take_look(16, recorded)
    assert "with 8 seeds (declared then: no looks) and 12 seeds (declared then: no looks)" in verdict.exploratory


def test_the_first_look_taken_again_after_others_is_not_exploratory():
    _, recorded = take_look(8)
    _, recorded = take_look(12, recorded)
    verdict, recorded = take_look(8, recorded)
    assert verdict.exploratory == ""
    assert [len(look.seeds) for look in recorded.looks] == [8, 12]


def test_fewer_seeds_after_more_are_exploratory_too():
    _, recorded = take_look(12)
    assert "with 12 seeds" in take_look(8, recorded)[0].exploratory


def test_a_preview_is_no_look():
    _, recorded = take_look(7)
    assert recorded.looks == ()
    assert take_look(12, recorded)[0].exploratory == ""


@pytest.mark.parametrize(
    "other",
    [
        {"first_seed": 100},
        {"recipe": {"epochs": 2, "batch": 128, "lr": 0.05}},
        {"contrasts": [{**CONTRAST, "metric": "train/error"}]},
    ],
    ids=["seeds", "recipe", "metric"],
)
def test_a_verdict_with_another_comparison_is_a_first_look(other):
    _, recorded = take_look(8)
    verdict, recorded = take_look(12, recorded, **other)
    assert (verdict.exploratory, len(recorded.looks)) == ("", 2)


@pytest.mark.parametrize(
    "other",
    [{"level": 0.01}, {"name": "renamed"}, {"contrasts": [{**CONTRAST, "a": B, "b": A, "side": "greater"}]}],
    ids=["level", "name", "side"],
)
def test_another_level_name_or_side_does_not_hide_an_earlier_look(other):
    _, recorded = take_look(8)
    assert "with 8 seeds" in take_look(12, recorded, **other)[0].exploratory


def test_declared_looks_share_the_level_and_are_not_exploratory():
    recorded, verdicts = None, []
    for n in (8, 12, 16):
        verdict, recorded = take_look(n, recorded, looks=[8, 12, 16])
        verdicts.append(verdict)
    assert [verdict.exploratory for verdict in verdicts] == ["", "", ""]
    assert [verdict.level for verdict in verdicts] == pytest.approx([0.05 / 3 * 0.75] * 3)
    assert verdicts[0].state == "supported"


def test_a_look_at_an_undeclared_number_of_seeds_is_exploratory():
    verdict, _ = take_look(10, looks=[8, 12, 16])
    assert verdict.exploratory == (
        "Exploratory: interim looks are declared at 8, 12 and 16 seeds, but this one has 10."
    )


@pytest.mark.parametrize(
    ("declared_then", "declared_now", "words"),
    [([], [8, 12], "8 seeds (declared then: no looks)"), ([8, 12], [], "8 seeds (declared then: 8 and 12)")],
)
def test_a_declaration_changed_after_a_look_makes_the_verdict_exploratory(declared_then, declared_now, words):
    _, recorded = take_look(8, looks=declared_then)
    assert words in take_look(12, recorded, looks=declared_now)[0].exploratory


@pytest.mark.parametrize(
    ("looks", "state"),
    [
        pytest.param([], "supported", id="2/256 is below the level of 0.0375"),
        pytest.param([8, 16, 24, 32, 40], "undecided", id="2/256 is above a fifth of it"),
    ],
)
def test_a_verdict_is_decided_at_its_share_of_the_level(looks, state):
    study = make_study(**TWO_VARIANTS, seeds=list(range(8)), looks=looks)
    # Seven seeds for the claim, and the one with the smallest difference against it.
    test_errors = {A: [1.0] * 8, B: [2.0] * 7 + [0.5]}
    (verdict,) = decide_contrasts(make_results(study, test_errors=test_errors))
    assert (verdict.p, verdict.state) == (2 / 256, state)
    assert ("not established at level 0.0075" in verdict.conclusion) == bool(looks)
