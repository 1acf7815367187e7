"""The chance that further stages decide: against the simulation that chose the design, and from recorded pairs."""

import numpy as np
import pytest
from reporting_helpers import TWO_VARIANTS, make_results, make_study, make_untrained

from harness.reporting.stages.boundaries import chance_to_reject, stage_boundaries
from harness.reporting.stages.futility import explain_futility, predict_open
from harness.reporting.stages.savings import seeds_of_equal_power
from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs.adaptive.decide import StageSpec

STAGES = (8, 12, 16, 20, 24, 28, 32)
DECIDE = {"first": 8, "step": 4, "most": 32}


@pytest.mark.parametrize(("effect", "power", "seeds"), [(0, 0.05, 31), (0.5, 0.80, 20.7), (1, 1.0, 10.7), (2, 1.0, 8)])
def test_power_and_mean_seeds_are_those_of_the_sign_flip_test_in_stages(effect, power, seeds):
    """The numbers are of rule 17: 500 to 1,000 runs of the sign-flip test itself."""
    chances = chance_to_reject(effect, 0.05, STAGES)
    assert chances[-1] == pytest.approx(power, abs=0.04)
    assert 8 + 4 * float((1 - chances[:-1]).sum()) == pytest.approx(seeds, abs=0.8)


def test_stage_at_which_the_sign_flip_test_cannot_reject_has_no_boundary():
    # 0.01 / 2 spends less than 1/256 at 8 of 32 seeds.
    assert np.isinf(stage_boundaries(0.005, STAGES)[0])
    assert np.isfinite(stage_boundaries(0.005, STAGES)[1:]).all()


def test_fixed_design_of_equal_power_is_smaller_than_the_most_seeds():
    seeds, effect = seeds_of_equal_power(StageSpec(**DECIDE), 0.05)
    assert 20 <= seeds <= 28
    assert effect == pytest.approx(0.5, abs=0.05)


def results_with_effect(effect, recorded=8):
    """Return results of two variants whose test errors differ by ``effect`` points on average, with a spread of 1."""
    study = make_study(**TWO_VARIANTS, decide=StageSpec(**DECIDE))
    noise = np.random.default_rng(4).normal(0, 1, 32)
    noise[:8] -= noise[:8].mean()
    levels = {"cifar-resnet8-w8": 5 + effect + noise / np.std(noise[:8], ddof=1), "cifar-plain8-w8": np.full(32, 5.0)}
    errors = {name: values.tolist() for name, values in levels.items()}
    missing = [(v.name, seed) for v in study.variants for seed in study.experiment.seeds[recorded:]]
    return make_results(study, errors, test_errors=errors, missing=missing, gradients=False)


def test_chance_of_a_decision_rises_with_the_effect_and_the_stage():
    chances = []
    for effect in (0.0, -0.4, -0.7):
        results = results_with_effect(effect)
        (verdict,) = decide_contrasts(results)
        assert (verdict.state, verdict.stage.analysed) == ("undecided", (8,))
        predicted = predict_open(verdict, results.study, 0)
        assert predicted[0] == 0 and (np.diff(predicted) >= 0).all()
        chances.append(predicted[-1])
        assert explain_futility(verdict, results.study, 0) == ""
    assert chances == sorted(chances) and chances[-1] > 0.8


def test_contrast_that_later_stages_would_hardly_decide_is_futile():
    study = make_study(**TWO_VARIANTS, decide=StageSpec(first=8, step=2, most=10, futility=0.2))
    errors = {"cifar-resnet8-w8": [5 + 2 * (seed % 2) for seed in range(10)], "cifar-plain8-w8": [6.0] * 10}
    missing = [(v.name, seed) for v in study.variants for seed in study.experiment.seeds[8:]]
    results = make_results(study, errors, test_errors=errors, missing=missing, gradients=False)
    (verdict,) = decide_contrasts(results)
    assert "The chance that 10 seeds decide it is about" in explain_futility(verdict, study, 0)
    never = study.experiment.model_copy(update={"decide": StageSpec(first=8, step=2, most=10, futility=0)})
    assert explain_futility(verdict, study.replace(experiment=never), 0) == ""


def test_contrast_with_an_untrainable_network_is_futile():
    """Its tests would support it, because the plain network of 32 layers stays at the error of guessing."""
    decide = {"first": 8, "step": 4, "most": 12, "futility": 0.1}
    results = make_untrained(range(12), n=8, decide=decide)
    (verdict,) = decide_contrasts(results, stage=8)
    assert (verdict.state, verdict.with_failures_state) == ("undecided", "supported")
    assert explain_futility(verdict, results.study, 0) == (
        "cifar-plain32-w8 is untrainable under this recipe, so more seeds would hardly decide it."
    )
