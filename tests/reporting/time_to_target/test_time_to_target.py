"""The time_to_target contrast from planted histories to its verdict, and the section of the page."""

import pytest

from harness.errors import HarnessError
from harness.reporting.page.template import render_template
from harness.reporting.time_to_target.content import build_time_to_target_section
from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs.experiment.experiment import Experiment
from tests.reporting_helpers import QUICKSTART, TWO_VARIANTS, make_results, make_study

PLAIN, RESIDUAL = "cifar-plain8-w8", "cifar-resnet8-w8"
CONTRAST = {"kind": "time_to_target", "a": RESIDUAL, "b": PLAIN}
TARGETS = [{"metric": "test/error", "value": 8.0}]


def study(**changes):
    fields = {"variants": TWO_VARIANTS["variants"], "targets": TARGETS, "contrasts": [CONTRAST]}
    return make_study(**{**fields, **changes})


def results(plain, residual, provenance=None, **changes):
    resolved = study(**changes)
    return make_results(resolved, test_errors={PLAIN: plain, RESIDUAL: residual}, provenance=provenance)


@pytest.mark.parametrize(
    ("plain", "residual", "state", "p"),
    [
        # Half of the plain trials never reach the target; their order is known all the same.
        ([9, 9, 9, 9, 6, 6, 6, 6], [2] * 8, "supported", 1 / 256),
        ([2] * 8, [9, 9, 9, 9, 6, 6, 6, 6], "contradicted", 1.0),
        # Six pairs in which neither reaches it say nothing: two are too few.
        ([9] * 8, [2, 2, 9, 9, 9, 9, 9, 9], "undecided", 1 / 4),
        ([5] * 8, [5] * 8, "undecided", 1.0),
    ],
)
def test_verdict_rests_on_the_pairs_with_a_known_order(plain, residual, state, p):
    (verdict,) = decide_contrasts(results(plain, residual))
    assert (verdict.kind, verdict.state, verdict.n) == ("time_to_target", state, 8)
    assert verdict.p == p
    assert RESIDUAL in verdict.answer and "test error of 8 %" in verdict.answer


def test_conclusion_counts_pairs_without_a_known_order():
    (verdict,) = decide_contrasts(results([9] * 8, [2, 2, 9, 9, 9, 9, 9, 9]))
    assert f"of 8 pairs, {RESIDUAL} reaches a test error of 8 % first in 2, and {PLAIN} in 0" in verdict.conclusion
    assert "6 have no known order" in verdict.conclusion


def test_one_late_seed_is_no_skew_because_only_the_order_counts():
    (verdict,) = decide_contrasts(results([6] * 7 + [2], [2] * 7 + [6], level=0.2))
    assert verdict.state == "supported" and "skewed" not in verdict.certainty


def test_seconds_of_shared_devices_give_no_verdict():
    shared = results([9] * 8, [2] * 8, contrasts=[{**CONTRAST, "unit": "seconds"}])
    (verdict,) = decide_contrasts(shared)
    assert (verdict.state, verdict.n) == ("undecided", 0)
    exclusive = {(name, seed): {"shared": False} for name in (PLAIN, RESIDUAL) for seed in range(10, 18)}
    (verdict,) = decide_contrasts(results([9] * 8, [2] * 8, exclusive, contrasts=[{**CONTRAST, "unit": "seconds"}]))
    assert (verdict.state, verdict.n) == ("supported", 8)


def test_section_shows_reached_median_and_range_of_each_variant():
    content = build_time_to_target_section(results([9, 9, 9, 9, 9, 6, 6, 6], [2] * 8))
    (target,) = content["targets"]
    assert [row[0].replace("\\", "") for row in target["rows"]] == [PLAIN, RESIDUAL]
    assert [row[1:] for row in target["rows"]] == [
        ["3 of 8", "not reached", "8; 5 not reached", "–", "–"],
        ["8 of 8", "6", "6", "–", "–"],
    ]
    page = render_template("time_to_target.md.j2", content)
    assert "**A test error of 8 % or less**" in page and "Trials that shared their device have no seconds." in page
    assert f"{RESIDUAL} first in 8; {PLAIN} first in 0" in page.replace("\\", "")


def test_title_answer_and_conclusion_name_the_question():
    (verdict,) = decide_contrasts(results([9] * 8, [2] * 8))
    assert verdict.title.endswith(f"than {PLAIN}, at equal shape")
    assert verdict.answer.endswith(f"than {PLAIN}, at equal shape.")
    assert "The networks are compared at equal shape." in verdict.conclusion


def test_section_without_targets_is_empty():
    content = build_time_to_target_section(make_results(make_study()))
    assert render_template("time_to_target.md.j2", content).strip() == ""


@pytest.mark.parametrize(
    ("targets", "target", "message"),
    [
        ([], None, "needs a target"),
        ([*TARGETS, {"value": 5.0}], None, "does not say which one"),
        (TARGETS, {"value": 3.0}, "not among targets"),
        ([{"value": 0.0}], None, "greater than 0"),
        ([{"value": 100.0}], None, "less than 100"),
        (TARGETS * 2, None, "declared twice"),
    ],
)
def test_targets_and_contrasts_that_do_not_agree_are_refused(targets, target, message):
    contrast = CONTRAST | ({"target": target} if target else {})
    fields = {**QUICKSTART, "variants": TWO_VARIANTS["variants"], "targets": targets, "contrasts": [contrast]}
    with pytest.raises(ValueError, match=message):
        Experiment.model_validate(fields)


def test_contrast_gets_the_only_target_and_names_its_measure():
    (contrast,) = study().experiment.contrasts
    assert contrast.target.value == 8.0
    assert contrast.measure == "time_to_target epochs test/error 8.0"


def test_contrast_names_a_variant_that_does_not_exist():
    with pytest.raises(HarnessError, match="names the variant 'cifar-plain9'"):
        study(contrasts=[{**CONTRAST, "b": "cifar-plain9"}])
