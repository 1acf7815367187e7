"""Verdicts that are exploratory because contrasts were added, removed or replaced."""

from reporting.analyses.analysis_helpers import CONTRAST, SECOND, THIRD, analyse, reason
from reporting_helpers import QUICKSTART, make_results, make_study

from harness.reporting.analyses.recording import build_log
from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs.declarations.declare import add_logs


def test_the_order_of_contrasts_is_harmless():
    _, recorded = analyse(8, contrasts=[CONTRAST, SECOND])
    verdicts, again = analyse(8, recorded, day=2, contrasts=[SECOND, CONTRAST])
    assert [verdict.exploratory for verdict in verdicts] == ["", ""]
    assert again.analyses == recorded.analyses


def test_removed_contrasts_make_the_others_exploratory():
    _, recorded = analyse(8, contrasts=[CONTRAST, SECOND, THIRD])
    verdicts, _ = analyse(8, recorded, day=2)
    assert reason(verdicts).count("removed: difference in train/") == 2
    assert verdicts[0].first.p_adjusted > verdicts[0].p_adjusted


def test_a_contrast_added_after_its_results_were_seen_is_exploratory_and_the_old_one_is_not():
    _, recorded = analyse(8)
    verdicts, _ = analyse(8, recorded, day=2, contrasts=[CONTRAST, SECOND])
    assert [verdict.exploratory for verdict in verdicts] == [
        "",
        "Exploratory: this contrast was declared after its results were seen on 2026-11-01.",
    ]


def test_a_contrast_added_for_fresh_seeds_is_declared_before_its_results_are_seen():
    _, recorded = analyse(8)
    verdicts, _ = analyse(8, recorded, day=2, first_seed=100, contrasts=[CONTRAST, {**SECOND}])
    assert (verdicts[0].exploratory, len(verdicts[0].earlier_batches)) == ("", 1)


def test_a_change_of_one_contrast_makes_every_verdict_exploratory():
    _, recorded = analyse(8, contrasts=[CONTRAST, SECOND])
    changed = {**SECOND, "side": "greater"}
    verdicts, _ = analyse(8, recorded, day=2, contrasts=[CONTRAST, changed])
    assert all("cifar-plain8-w8: side less → greater" in verdict.exploratory for verdict in verdicts)


def test_a_contrast_in_place_of_another_one_is_exploratory_although_its_own_results_were_not_seen():
    def at_depths(shallow, deep):
        (selection,), (contrast,) = QUICKSTART["variants"], QUICKSTART["contrasts"]
        return make_study(
            variants=[{**selection, "depth": [shallow, deep]}],
            contrasts=[{**contrast, "shallow": shallow, "deep": deep}],
        )

    first = make_results(at_depths(8, 32), gradients=False)
    log = build_log(first, decide_contrasts(first), "2026-11-01T12:00:00+00:00")
    (verdict,) = decide_contrasts(make_results(add_logs(at_depths(8, 20), [log]), gradients=False))
    assert "removed: degradation from 8 to 32 layers" in verdict.exploratory
