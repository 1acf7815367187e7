"""Reports with too few seeds for a test: they are listed, and cost level only where batches could be chosen by them."""

import numpy as np
import pytest
from reporting.analyses.analysis_helpers import CONTRAST, SECOND, analyse, reason

from harness.reporting.analyses.content import build_analyses_content
from harness.reporting.statistics.sign_flip_test import sign_flip_p_values
from harness.specs.declarations.batches import level_share, warn_batches

LEVEL = 0.05 * 0.75
EXPERIMENTS = 20_000


def preview(recorded, first_seed, day=1, n=7, **changes):
    return analyse(n, recorded, first_seed=first_seed, day=day, **changes)[1]


def test_preview_is_recorded_and_listed_as_too_few_seeds():
    verdicts, recorded = analyse(7)
    assert (verdicts[0].state, verdicts[0].p, verdicts[0].exploratory) == ("undecided", None, "")
    (analysis,) = recorded.analyses
    assert (analysis.state, analysis.is_preview, len(analysis.seeds)) == ("too few seeds", True, 7)
    (row,) = build_analyses_content(recorded)["analysis_rows"]
    assert (row[0], row[2], row[4]) == ("2026-11-01", "10 to 16", "too few seeds")


def test_the_same_preview_again_adds_nothing():
    recorded = preview(None, 10)
    assert preview(recorded, 10, day=2).analyses == recorded.analyses


def test_a_test_is_kept_beside_a_preview_of_the_same_seeds_from_which_a_trial_was_missing():
    """Otherwise a held-back trial would hide the test: the next batch would have the whole level."""
    _, recorded = analyse(8, missing=[(CONTRAST["a"], 12)])
    verdicts, recorded = analyse(8, recorded, day=2)
    assert [(a.state, a.seeds) for a in recorded.analyses] == [
        ("too few seeds", tuple(range(10, 18))),
        ("supported", tuple(range(10, 18))),
    ]
    assert (reason(verdicts), verdicts[0].level) == ("", pytest.approx(LEVEL))
    (fresh,), _ = analyse(8, recorded, first_seed=100, day=3)
    assert fresh.level == pytest.approx(LEVEL / 4)
    assert fresh.earlier_batches == ("seeds 10 to 17, 2026-11-02: supported",)


def test_a_contrast_without_a_pair_of_seeds_has_no_preview():
    _, recorded = analyse(1, missing=[(CONTRAST["a"], 10)])
    assert recorded.analyses == ()


@pytest.mark.parametrize("n", [8, 12])
def test_seeds_added_to_a_preview_keep_the_whole_level(n):
    (verdict,), _ = analyse(n, preview(None, 10), day=2)
    assert (verdict.exploratory, verdict.earlier_batches, verdict.level) == ("", (), pytest.approx(LEVEL))


def test_fresh_seeds_after_pilots_keep_the_whole_level_and_list_the_pilots():
    recorded = preview(preview(None, 100, n=3), 200, day=2)
    (verdict,), recorded = analyse(8, recorded, day=3)
    assert (verdict.exploratory, verdict.earlier_batches, verdict.level) == ("", (), pytest.approx(LEVEL))
    states = [row[4] for row in build_analyses_content(recorded)["analysis_rows"]]
    assert states == ["too few seeds", "too few seeds", "supported"]


@pytest.mark.parametrize(
    "changes", [{"level": 0.1}, {"contrasts": [SECOND]}, {"contrasts": [{**CONTRAST, "side": "greater"}]}]
)
def test_what_a_pilot_on_other_seeds_changes_is_declared_before_the_results(changes):
    verdicts, _ = analyse(8, preview(None, 100), day=2, **changes)
    assert reason(verdicts) == ""


def test_a_declaration_changed_after_a_preview_of_the_same_seeds_is_exploratory_and_shows_the_first_verdict():
    verdicts, _ = analyse(8, preview(None, 10, n=3), day=2, contrasts=[{**CONTRAST, "side": "greater"}])
    assert "after results were seen on 2026-11-01: side less → greater" in reason(verdicts)
    assert (verdicts[0].first.state, verdicts[0].first.n) == ("supported", 8)


@pytest.mark.parametrize("completed", [0, 1, 2])
def test_the_completed_one_of_several_previewed_batches_has_a_part_of_the_level(completed):
    """Three batches of 7 seeds are looked at, then the eighth seed of one of them is trained."""
    recorded, starts = None, (10, 100, 200)
    for day, start in enumerate(starts, 1):
        recorded = preview(recorded, start, day=day)
    (verdict,), _ = analyse(8, recorded, first_seed=starts[completed], day=9)
    assert verdict.level == pytest.approx(LEVEL / 8)
    assert verdict.exploratory == ""
    assert len(verdict.earlier_batches) == 2
    assert all(batch.endswith("too few seeds") for batch in verdict.earlier_batches)


def test_previews_of_one_batch_are_one_batch():
    recorded = None
    for n in (3, 5, 7):
        recorded = preview(recorded, 100, n=n, day=n)
    (verdict,), _ = analyse(8, preview(recorded, 10, day=8), day=9)
    assert verdict.earlier_batches == ("seeds 100 to 106, 2026-11-07: too few seeds",)


def test_plan_warns_that_a_previewed_batch_beside_another_one_has_a_smaller_level():
    recorded = preview(preview(None, 100), 10, day=2)
    eight = recorded.replace(experiment=recorded.experiment.model_copy(update={"seeds": tuple(range(10, 18))}))
    assert "too few seeds): verdicts on the declared seeds have 1/4 of the level." in warn_batches(eight)
    fresh = recorded.replace(experiment=recorded.experiment.model_copy(update={"seeds": tuple(range(50, 58))}))
    assert warn_batches(fresh) == ""


@pytest.mark.parametrize(("batches", "at_whole_level"), [(2, 0.065), (5, 0.145)])
def test_the_best_of_several_previewed_batches_claims_what_is_not_there_in_less_than_five_percent(
    batches, at_whole_level
):
    differences = np.random.default_rng(20).normal(0, 1, (EXPERIMENTS, batches, 8))
    best = differences[..., :7].mean(axis=-1).argmin(axis=1)
    p = sign_flip_p_values(differences[np.arange(EXPERIMENTS), best], "less")
    assert (p <= LEVEL).mean() == pytest.approx(at_whole_level, abs=0.015)
    assert (p <= level_share(batches - 1) * LEVEL).mean() < 0.05
