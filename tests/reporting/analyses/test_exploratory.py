"""Which verdicts are exploratory because of what was analysed and declared before."""

from dataclasses import replace

import pytest
from reporting_helpers import QUICKSTART, TWO_VARIANTS, make_results, make_study

from harness.reporting.analyses.first_declaration import under_declaration
from harness.reporting.analyses.recording import build_log, end_with
from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs.declarations.batches import warn_batches
from harness.specs.declarations.declaration import Declaration
from harness.specs.declarations.declare import add_logs, declare
from harness.specs.experiment.interim_looks import InterimLook

(CONTRAST,) = TWO_VARIANTS["contrasts"]
A, B = CONTRAST["a"], CONTRAST["b"]
SECOND = {**CONTRAST, "metric": "train/error"}
THIRD = {**CONTRAST, "metric": "train/error_clean"}


def analyse(n, recorded=None, first_seed=10, day=1, missing=(), decide_stage=None, **changes):
    """Decide an experiment with ``n`` seeds on a day of a month; ``recorded`` holds the earlier analyses.

    Returns:
        The verdicts of its report, and the experiment with the analyses that the record then holds.
    """
    study = make_study(**{**TWO_VARIANTS, "seeds": list(range(first_seed, first_seed + n)), **changes})
    n = len(study.experiment.seeds)
    errors = {
        variant.name: [3.0 + (variant.name == B) + 0.1 * (seed % 9) for seed in range(n)] for variant in study.variants
    }
    results = make_results(study.with_looks_of(recorded), test_errors=errors, gradients=False, missing=missing)
    log = build_log(results, decide_contrasts(results), f"2026-11-{day:02d}T12:00:00+00:00", decide_stage)
    for_record = add_logs(results.study, [log])
    verdicts = decide_contrasts(replace(results, study=end_with(for_record, log.analyses)))
    return verdicts, for_record


def reason(verdicts):
    """Return why the only verdict is exploratory, without the verdict under the first declaration."""
    (verdict,) = verdicts
    return verdict.exploratory.partition(" Under the first declaration")[0]


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


def test_a_preview_is_no_analysis():
    _, recorded = analyse(7)
    assert recorded.analyses == ()
    assert reason(analyse(12, recorded)[0]) == ""


@pytest.mark.parametrize(
    "other", [{"recipe": {"epochs": 2, "batch": 128, "lr": 0.05}}, {"data": {"name": "digits", "split_seed": 3}}]
)
def test_a_verdict_on_other_trials_is_a_first_analysis(other):
    _, recorded = analyse(8)
    verdicts, recorded = analyse(12, recorded, **other)
    assert (reason(verdicts), len(recorded.analyses)) == ("", 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"level": 0.2}, "level 0.05 → 0.2"),
        ({"contrasts": [{**CONTRAST, "smallest_effect": 1.0}]}, "smallest effect 0.5 → 1"),
        ({"contrasts": [{**CONTRAST, "side": "greater"}]}, "side less → greater"),
        ({"contrasts": [{**CONTRAST, "a": B, "b": A}]}, "side "),
        ({"contrasts": [{**CONTRAST, "side": "two-sided"}]}, "side less → two-sided"),
        ({"contrasts": [SECOND]}, "metric test/error → train/error"),
        ({"looks": [8, 12]}, "looks none → 8, 12"),
        ({"decide": {"first": 8, "step": 4, "most": 16}}, "decide none → 8:16:4"),
        ({"name": "renamed", "level": 0.2}, "level 0.05 → 0.2"),
    ],
)
def test_a_changed_declaration_makes_the_verdict_exploratory_and_shows_the_first(changes, words):
    _, recorded = analyse(8)
    verdicts, _ = analyse(8, recorded, day=27, **changes)
    text = reason(verdicts)
    assert "what is declared was changed on 2026-11-27, after results were seen on 2026-11-01" in text
    assert words in text
    assert verdicts[0].first.state == "supported"
    assert (
        "Under the first declaration, of 2026-11-01 (metric test/error, side less, smallest effect 0.5, level 0.05"
        in (verdicts[0].exploratory)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"contrasts": [{**CONTRAST, "a": B, "b": A, "side": "greater"}]},
        {"contrasts": [{**CONTRAST, "margin_reason": "Half a point is one image in two hundred."}]},
        {
            "contrasts": [CONTRAST, {**CONTRAST, "a": "cifar-resnet14-w8"}],
            "variants": [
                *TWO_VARIANTS["variants"],
                {"family": "cifar-resnet", "depth": 14, "shortcut": "identity", "set": {"widths": [8, 16, 32]}},
            ],
        },
        {"question": "Another question?", "notes": "Notes."},
        {"name": "renamed"},
        {"resources": {"cpus": 2}},
        {"execution": {"memory_format": "contiguous"}},
    ],
    ids=[
        "the same claim the other way round",
        "reason",
        "a contrast with a new variant",
        "question",
        "name",
        "resources",
        "execution",
    ],
)
def test_a_harmless_change_leaves_the_verdict(changes):
    _, recorded = analyse(8)
    verdicts, _ = analyse(8, recorded, day=2, **changes)
    assert [verdict.exploratory for verdict in verdicts] == [""] * len(verdicts)


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


def test_a_change_back_to_the_first_declaration_is_not_exploratory():
    first, recorded = analyse(8)
    _, recorded = analyse(8, recorded, day=2, level=0.2)
    assert analyse(8, recorded, day=3)[0] == first


def test_an_experiment_under_another_name_names_the_report_that_was_seen():
    _, recorded = analyse(8, name="first-name")
    verdicts, _ = analyse(8, recorded, day=2, level=0.2)
    assert "in the report of first-name" in reason(verdicts)


def test_fresh_seeds_for_the_same_comparison_have_a_smaller_level_and_list_the_earlier_batches():
    _, recorded = analyse(8)
    _, recorded = analyse(8, recorded, first_seed=100, day=2)
    (verdict,), _ = analyse(8, recorded, first_seed=200, day=3)
    assert verdict.exploratory == ""
    assert verdict.level == pytest.approx(0.05 * 0.75 / 8)
    assert verdict.caveats[1] == (
        "The same comparison was tested before with other seeds: seeds 10 to 17, 2026-11-01: supported and seeds 100 "
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


@pytest.mark.parametrize("kept", [0, 1], ids=["declaration removed", "declaration edited"])
def test_an_analysis_without_its_declaration_makes_later_verdicts_exploratory(kept):
    _, recorded = analyse(8)
    edited = Declaration.model_validate({**recorded.declarations[0].model_dump(), "level": 0.2})
    changed = recorded.replace(declarations=(edited,)[:kept])
    assert "no longer says what was declared" in reason(analyse(8, changed, level=0.2)[0])


def test_looks_of_an_earlier_version_count():
    study = make_study(**TWO_VARIANTS)
    old = InterimLook(cells=study.contrast_keys[0], seeds=tuple(range(10, 18)))
    recorded = study.replace(looks=(old,))
    assert reason(analyse(8, recorded)[0]) == ""
    assert "with 8 seeds (declared then: no looks)" in reason(analyse(12, recorded)[0])
    assert analyse(8, recorded, first_seed=100)[0][0].earlier_batches == ("seeds 10 to 17",)


def test_under_declaration_counts_a_removed_contrast_whose_variant_is_gone():
    both = {
        "variants": [
            {
                "family": "cifar-resnet",
                "depth": [8, 14],
                "shortcut": ["none", "identity"],
                "set": {"widths": [8, 16, 32]},
            }
        ]
    }
    gone = {**CONTRAST, "a": "cifar-resnet14-w8", "b": "cifar-plain14-w8"}
    _, recorded = analyse(8, contrasts=[CONTRAST, gone], **both)
    verdicts, _ = analyse(8, recorded, day=2)
    assert "removed: difference in test/error between cifar-resnet14-w8 and cifar-plain14-w8" in reason(verdicts)
    assert verdicts[0].first.p_adjusted == 2 * verdicts[0].p_adjusted


def test_under_declaration_of_a_degradation_decides_the_first_margin():
    study = make_study()
    first = declare(study)
    changed = make_study(
        contrasts=[{**QUICKSTART["contrasts"][0], "margin": 5.0}], level=0.2, seeds=list(range(10, 20))
    )
    results = under_declaration(make_results(changed, gradients=False), first)
    experiment = results.study.experiment
    assert (experiment.contrasts[0].margin, experiment.level, len(experiment.seeds)) == (0.5, 0.05, 8)
    assert {variant.depth for variant in results.study.variants} == {8, 32}
    assert set(results.epochs["seed"]) == set(range(10, 18))
