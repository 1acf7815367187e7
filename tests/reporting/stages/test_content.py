"""The section "Stages" of a report: states, what was saved, and the estimates over the stages."""

import math

import numpy as np
from reporting_helpers import make_clean_errors, make_results, make_study

from harness.reporting.figures.style import render_figure
from harness.reporting.page.template import render_template
from harness.reporting.stages.content import build_stages_section
from harness.reporting.stages.looks import list_looks
from harness.reporting.stages.stages_figure import draw_stages, select_panels
from harness.reporting.statistics.stage_estimate import estimate_at_stop
from harness.reporting.statistics.stage_test import spent_levels
from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs.adaptive.decide import StageSpec

DIFFERENCE = {"kind": "difference", "a": "cifar-resnet8-w8", "b": "cifar-plain8-w8", "metric": "test/error"}


def make_staged(effect, recorded, most=16):
    """Return results and verdicts of a staged comparison, in which two variants have no contrast."""
    variants = [
        {"family": "cifar-resnet", "depth": [8, 20], "shortcut": ["none", "identity"], "set": {"widths": [8, 16, 32]}}
    ]
    study = make_study(
        variants=variants, contrasts=[DIFFERENCE], decide=StageSpec(first=8, step=4, most=most, futility=0),
        recipe={"epochs": 1, "batch": 128, "lr": 0.05},
    )  # fmt: skip
    noise = np.tile([1.0, -1.0, 0.5, -0.5], 8)[:most]
    errors = {variant.name: [9.0] * most for variant in study.variants}
    errors["cifar-resnet8-w8"] = (9.0 + effect + noise).tolist()
    compared = DIFFERENCE["a"], DIFFERENCE["b"]
    missing = [
        (variant.name, seed)
        for variant in study.variants
        for seed in study.experiment.seeds[recorded if variant.name in compared else 8 :]
    ]
    results = make_results(study, errors, test_errors=errors, missing=missing, gradients=False)
    return results, decide_contrasts(results)


def render(results, verdicts):
    return render_template("stages.md.j2", {**build_stages_section(results, verdicts), "figures": []})


def test_section_of_a_decided_experiment_says_what_both_fixed_designs_take():
    results, verdicts = make_staged(-3.0, 8)
    assert (verdicts[0].state, verdicts[0].stage.decided_at) == ("supported", 8)
    text = render(results, verdicts)
    assert "| supported | 8 of at most 16 seeds |" in text
    assert "It trained 32 trials" in text
    assert "16 seeds of every variant takes 64 trials" in text
    assert "so 50 % of the trials were saved" in text
    assert "A fixed design of equal power takes 14 seeds of every variant, 56 trials" in text


def test_section_of_an_unfinished_experiment_saves_nothing_and_names_the_next_stage():
    text = render(*make_staged(0.0, 8))
    assert "The experiment is not at its end: 1 contrast is open, and the next stage is at 12 seeds." in text
    assert "nothing is saved yet" in text
    assert "were saved" not in text and "of equal power" not in text


def test_section_of_an_experiment_at_its_most_seeds_calls_nothing_saved():
    text = render(*make_staged(0.0, 16))
    assert "undecided | 16 of at most 16 seeds" in text
    assert "were saved" not in text
    # The two variants without a contrast have the first stage only.
    assert "25 % of the trials were not trained" in text


def test_estimates_end_with_the_stage_that_decided_and_a_corrected_one():
    results, verdicts = make_staged(-0.62, 16)
    decided = verdicts[0].stage.decided_at
    assert decided in (12, 16)
    (looks,) = list_looks(results.study, verdicts)
    assert [estimate.stage for estimate in looks.naive] == [n for n in (8, 12, 16) if n <= decided]
    stop, naive = looks.at_stop, looks.naive[-1]
    assert stop.is_corrected and stop.stage == decided
    # An early stop overestimates, so the corrected effect is nearer to the bound.
    assert naive.effect <= stop.effect < 0
    assert math.isfinite(stop.low) and stop.low < stop.effect < stop.high


def test_corrected_estimate_uses_the_level_at_which_its_contrast_was_decided():
    """The other contrast is decided first, which leaves the whole level to this one."""
    easy = {**DIFFERENCE, "b": "cifar-plain20-w8"}
    study = make_study(contrasts=[DIFFERENCE, easy], decide=StageSpec(first=8, step=4, most=16, futility=0))
    errors = {variant.name: [9.0] * 16 for variant in study.variants}
    errors["cifar-resnet8-w8"] = (8.38 + np.tile([1.0, -1.0, 0.5, -0.5], 4)).tolist()
    errors["cifar-plain20-w8"] = [30.0] * 16
    results = make_results(study, errors, test_errors=errors, gradients=False)
    verdicts = decide_contrasts(results)
    assert [(v.state, v.stage.level) for v in verdicts] == [("supported", 0.05), ("supported", 0.025)]
    stages, stop = verdicts[0].stage.stages, list_looks(study, verdicts)[0].at_stop
    values = [a - b for a, b in zip(errors["cifar-resnet8-w8"], errors["cifar-plain8-w8"], strict=True)]
    values = values[: verdicts[0].stage.decided_at]
    expected, at_half = (
        estimate_at_stop(values, "less", 0.0, stages, spent_levels(0.75 * level, stages)) for level in (0.05, 0.025)
    )
    assert stop == expected != at_half


def test_figure_shows_effects_with_estimates_at_two_stages_or_more():
    results, verdicts = make_staged(0.0, 12)
    panels = select_panels(list_looks(results.study, verdicts))
    assert [panel.label for panel in panels] == ["cifar-resnet8-w8 − cifar-plain8-w8"]
    figure = render_figure(9.2, 3.3, lambda f: draw_stages(f, panels, (8, 12, 16)))
    assert figure["svg"].startswith(b"<?xml") and len(figure["png"]) > 1000
    one_stage = list_looks(*(lambda r, v: (r.study, v))(*make_staged(0.0, 8)))
    assert select_panels(one_stage) == []


def test_experiment_without_stages_has_no_section():
    study = make_study()
    results = make_results(study, make_clean_errors(study, plain32=20.0))
    verdicts = decide_contrasts(results)
    assert build_stages_section(results, verdicts) == {"stages": None}
    assert list_looks(study, verdicts) == []
