"""Targets that no trial measures or that guessing reaches, and seconds that no trial has, are refused in time."""

import pytest

from harness.api import Settings, plan
from harness.errors import HarnessError

A, B = "cifar-resnet8-w2", "cifar-plain8-w2"
VARIANTS = {"family": "cifar-resnet", "depth": 8, "shortcut": ["none", "identity"], "set": {"widths": [2, 4, 8]}}
CONTRAST = {"kind": "time_to_target", "a": A, "b": B}
TIMED = {
    "variants": VARIANTS,
    "targets": [{"metric": "test/error", "value": 5.0}],
    "contrasts": [{**CONTRAST, "unit": "seconds"}],
}


def refusal(quick_study, **changes):
    with pytest.raises(HarnessError) as error:
        quick_study(**{**TIMED, **changes})
    return error.value


@pytest.mark.parametrize("contrasts", [[CONTRAST], []])
def test_target_of_the_validation_error_needs_validation_images(quick_study, contrasts):
    changes = {"targets": [{"metric": "val/error", "value": 5.0}], "contrasts": contrasts}
    error = refusal(quick_study, **changes)
    assert "no validation error is measured on digits" in error.what and "targets.0.metric" in error.where
    assert "val_fraction" in error.remedy
    assert quick_study(**{**TIMED, **changes, "data": {"name": "digits", "val_fraction": 0.1}})


def test_target_that_guessing_reaches_is_refused(quick_study):
    error = refusal(quick_study, targets=[{"metric": "test/error", "value": 90.0}])
    assert "an error of 90 % on digits is reached by guessing among 10 classes (90 %)" in error.what
    assert error.where.endswith("targets.0.value")
    assert quick_study(**{**TIMED, "targets": [{"metric": "test/error", "value": 89.9}]})


@pytest.mark.parametrize("together", [2, "auto"])
def test_seconds_of_seeds_that_are_trained_together_are_refused(quick_study, together):
    changes = {"execution": {"seeds_together": together}, "seeds": list(range(8))}
    error = refusal(quick_study, **changes)
    assert "are trained together, so a trial has no seconds of its own" in error.what
    assert error.where.endswith("contrasts.0.unit") and "seeds_together to off" in error.remedy
    assert quick_study(**{**TIMED, **changes, "contrasts": [CONTRAST]})


def test_seconds_of_trials_that_share_a_device_are_refused_when_the_run_is_planned(quick_study, tmp_path):
    settings = Settings(home=tmp_path / "home", tracking_uri="none", launcher="ray", at_once=2)
    with pytest.raises(HarnessError, match="2 trials would share a device at a time") as error:
        plan(quick_study(**TIMED), settings)
    assert "resources.max_concurrent=1" in error.value.remedy
    assert plan(quick_study(**TIMED, resources={"max_concurrent": 1}), settings).concurrency == 1
    assert plan(quick_study(**{**TIMED, "contrasts": [CONTRAST]}), settings).concurrency == 2


@pytest.mark.parametrize(("field", "value"), [("margin", 90.0), ("smallest_effect", 95.0)])
def test_margin_that_no_error_can_reach_is_refused(quick_study, field, value):
    contrast = {"kind": "degradation", "shallow": 8, "deep": 14, "margin": 1.0, field: value}
    with pytest.raises(HarnessError, match=f"no training error rises by {value:g} points") as error:
        quick_study(contrasts=[contrast])
    assert error.value.where.endswith(f"contrasts.0.{field}")
