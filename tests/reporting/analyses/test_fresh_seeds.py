"""Further batches of seeds for a comparison that was analysed before."""

import pytest
from reporting.analyses.analysis_helpers import CONTRAST, analyse

from harness.specs.declarations.batches import warn_batches


def test_fresh_seeds_for_the_same_comparison_have_a_smaller_level_and_list_the_earlier_batches():
    _, recorded = analyse(8)
    _, recorded = analyse(8, recorded, first_seed=100, day=2)
    (verdict,), _ = analyse(8, recorded, first_seed=200, day=3)
    assert verdict.exploratory == ""
    assert verdict.level == pytest.approx(0.05 * 0.75 / 8)
    assert verdict.caveats[1] == (
        "The same comparison was analysed before with other seeds: seeds 10 to 17, 2026-11-01: supported and seeds 100 "
        "to 107, 2026-11-02: supported. Batch 3 therefore has 1/8 of the level. Over all batches, the chance of a "
        "wrong claim is at most 1.5 times the level."
    )


def test_the_first_batch_keeps_its_level_when_its_report_is_written_again_after_a_second_batch():
    (first,), recorded = analyse(8)
    _, recorded = analyse(8, recorded, first_seed=100, day=2)
    (again,), _ = analyse(8, recorded, day=3)
    assert again == first


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"contrasts": [{**CONTRAST, "smallest_effect": 0.6}]}, "smallest effect 0.5 → 0.6"),
        ({"contrasts": [{**CONTRAST, "side": "greater"}]}, "side less → greater"),
        ({"level": 0.4}, "level 0.05 → 0.4"),
    ],
)
def test_fresh_seeds_under_a_changed_declaration_are_exploratory(changes, words):
    _, recorded = analyse(8)
    (verdict,), _ = analyse(8, recorded, first_seed=100, day=2, **changes)
    assert "after results of other seeds were seen on 2026-11-01: " + words in verdict.exploratory


def test_fresh_seeds_with_declared_stages_are_not_exploratory():
    _, recorded = analyse(8)
    (verdict,), _ = analyse(8, recorded, first_seed=100, day=2, looks=[8, 12])
    assert (verdict.exploratory, verdict.batches) == ("", 1)


def test_the_stages_of_one_adaptive_run_are_one_batch():
    _, recorded = analyse(8, looks=[8, 12])
    _, recorded = analyse(12, recorded, looks=[8, 12], day=2)
    (verdict,), _ = analyse(8, recorded, first_seed=100, day=3)
    assert verdict.level == pytest.approx(0.05 * 0.75 / 4)


def test_plan_warns_that_a_further_batch_has_a_smaller_level():
    _, recorded = analyse(8)
    study = recorded.replace(experiment=recorded.experiment.model_copy(update={"seeds": tuple(range(50, 58))}))
    assert warn_batches(study).endswith("2026-11-01: supported): verdicts on the declared seeds have 1/4 of the level.")
    assert warn_batches(recorded) == ""
