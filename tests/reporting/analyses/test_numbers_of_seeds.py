"""Verdicts that are exploratory because of the numbers of seeds that were analysed before."""

import pytest
from reporting.analyses.analysis_helpers import A, B, analyse, reason
from reporting_helpers import TWO_VARIANTS, make_study

from harness.specs.declarations.declare import declare
from harness.specs.experiment.interim_looks import InterimLook


def test_the_first_analysis_is_not_exploratory():
    (verdict,), recorded = analyse(8)
    assert (verdict.state, verdict.exploratory, verdict.first) == ("supported", "", None)
    (analysis,) = recorded.analyses
    assert (len(analysis.seeds), analysis.state, analysis.date) == (8, "supported", "2026-11-01")
    assert recorded.declarations == (declare(recorded),)


def test_the_same_analysis_again_gives_the_same_verdict_and_record():
    verdicts, recorded = analyse(8)
    assert analyse(8, recorded, day=2) == (verdicts, recorded)


def test_seeds_added_after_an_undeclared_look_make_the_verdict_exploratory():
    _, recorded = analyse(8)
    verdicts, recorded = analyse(12, recorded)
    assert reason(verdicts) == (
        "Exploratory: this verdict was already computed with 8 seeds (declared then: no looks). "
        "Every undeclared look raises the chance of a false positive above the level."
    )
    assert verdicts[0].caveats[0] == verdicts[0].exploratory
    assert ", exploratory: " in verdicts[0].conclusion
    assert verdicts[0].first.n == 8
    assert [len(analysis.seeds) for analysis in recorded.analyses] == [8, 12]


def test_every_earlier_undeclared_look_is_named():
    _, recorded = analyse(8)
    _, recorded = analyse(12, recorded, day=2)
    verdicts, _ = analyse(16, recorded, day=3)
    assert "with 8 seeds (declared then: no looks) and 12 seeds (declared then: no looks)" in reason(verdicts)


def test_the_first_analysis_taken_again_after_others_is_not_exploratory():
    _, recorded = analyse(8)
    _, recorded = analyse(12, recorded, day=2)
    verdicts, recorded = analyse(8, recorded, day=3)
    assert reason(verdicts) == ""
    assert [len(analysis.seeds) for analysis in recorded.analyses] == [8, 12]


def test_fewer_seeds_after_more_are_exploratory_too():
    _, recorded = analyse(12)
    assert "with 12 seeds" in reason(analyse(8, recorded)[0])


@pytest.mark.parametrize(
    "other", [{"recipe": {"epochs": 2, "batch": 128, "lr": 0.05}}, {"data": {"name": "digits", "split_seed": 3}}]
)
def test_a_verdict_on_other_trials_is_a_first_analysis(other):
    _, recorded = analyse(8)
    verdicts, recorded = analyse(12, recorded, **other)
    assert (reason(verdicts), len(recorded.analyses)) == ("", 2)


def test_declared_looks_share_the_level_and_are_not_exploratory():
    recorded, found = None, []
    for n in (8, 12, 16):
        (verdict,), recorded = analyse(n, recorded, looks=[8, 12, 16], day=n)
        found.append(verdict)
    assert [verdict.exploratory for verdict in found] == ["", "", ""]
    assert [verdict.level for verdict in found] == pytest.approx([0.05 / 3 * 0.75] * 3)
    assert found[0].state == "supported"


def test_a_look_at_an_undeclared_number_of_seeds_is_exploratory():
    verdicts, _ = analyse(10, looks=[8, 12, 16])
    assert reason(verdicts) == ("Exploratory: interim looks are declared at 8, 12 and 16 seeds, but this one has 10.")


def test_stages_that_were_declared_first_are_not_exploratory():
    decide = {"first": 8, "step": 4, "most": 16}
    untrained = [(name, seed) for name in (A, B) for seed in range(18, 26)]
    verdicts, recorded = analyse(8, decide=decide, decide_stage=8, missing=untrained)
    assert reason(verdicts) == ""
    assert [(analysis.stage, len(analysis.seeds)) for analysis in recorded.analyses] == [(8, 8)]
    verdicts, recorded = analyse(8, recorded, day=2, decide=decide, decide_stage=12, missing=untrained[4:])
    assert (reason(verdicts), len(recorded.analyses)) == ("", 2)


def test_declared_seeds_that_were_only_incomplete_are_preliminary_and_then_declared():
    untrained = [(name, seed) for name in (A, B) for seed in range(18, 26)]
    verdicts, recorded = analyse(16, missing=untrained)
    assert reason(verdicts) == (
        "Exploratory: only 8 of the 16 declared seeds are complete, and no look was declared before the last. The "
        "verdict on all of them will not be exploratory."
    )
    assert reason(analyse(16, recorded, day=2)[0]) == ""


def test_one_lost_trial_is_not_a_look_before_the_end():
    assert reason(analyse(9, missing=[(A, 12)])[0]) == ""


def test_looks_of_an_earlier_version_count():
    study = make_study(**TWO_VARIANTS)
    old = InterimLook(cells=study.contrast_keys[0], seeds=tuple(range(10, 18)))
    recorded = study.replace(looks=(old,))
    assert reason(analyse(8, recorded)[0]) == ""
    assert "with 8 seeds (declared then: no looks)" in reason(analyse(12, recorded)[0])
    assert analyse(8, recorded, first_seed=100)[0][0].earlier_batches == ("seeds 10 to 17",)
