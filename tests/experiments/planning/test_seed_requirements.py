"""Seeds and interim looks that can never decide an experiment's contrasts are refused when it is loaded."""

import pytest
from trial_helpers import SILENT_CONSOLE

from harness.api import Settings, plan, report, run
from harness.errors import HarnessError
from harness.experiments.planning.seed_requirements import require_enough_seeds

A, B = "cifar-resnet8-w2", "cifar-plain8-w2"
TWINS = {
    "variants": {"family": "cifar-resnet", "depth": 8, "shortcut": ["none", "identity"], "set": {"widths": [2, 4, 8]}},
    "recipe": {"epochs": 1, "batch": 128, "lr": 0.05},
    "contrasts": [{"kind": "difference", "a": A, "b": B, "metric": "test/error"}],
}


@pytest.mark.parametrize(
    ("changes", "words", "remedy"),
    [
        ({"looks": [8, 12, 16]}, "the experiment has 10", "--seeds 8, 12 or 16"),
        ({"looks": [8, 9, 10], "level": 0.01}, "with 8 seeds: the smallest possible p is 1/2^8", "at least 9 seeds"),
        ({"level": 0.001}, "with 10 seeds: the smallest possible p is 1/2^10", "at least 11 seeds"),
    ],
)
def test_looks_that_can_never_decide_are_refused(quick_study, changes, words, remedy):
    with pytest.raises(HarnessError) as refused:
        quick_study(**{**TWINS, "seeds": list(range(10)), **changes})
    assert words in refused.value.what and remedy in refused.value.remedy
    assert ("looks" if "looks" in changes else "seeds") in refused.value.where


def test_few_seeds_claim_nothing_and_are_accepted(quick_study):
    assert quick_study(**{**TWINS, "seeds": list(range(7)), "looks": [8, 12]})


def test_directional_contrasts_are_refused_when_their_share_of_the_level_is_too_small(quick_study):
    """With eight seeds, 1/256 is below 0.05 * 3/4 of nine verdicts, but not of ten."""
    study = quick_study(**{**TWINS, "seeds": list(range(8))})
    contrast = study.experiment.contrasts[0]

    def with_contrasts(number):
        contrasts = tuple(contrast.model_copy(update={"smallest_effect": 1.0 + index}) for index in range(number))
        return study.model_copy(update={"experiment": study.experiment.model_copy(update={"contrasts": contrasts})})

    require_enough_seeds(with_contrasts(9))
    with pytest.raises(HarnessError, match=r"10 verdicts at level 0\.0375 cannot be reached with 8 seeds"):
        require_enough_seeds(with_contrasts(10))


def test_plan_with_more_seeds_warns_of_a_look_that_was_not_declared(quick_study, tmp_path):
    settings = Settings(home=tmp_path / "home", tracking_uri="none", launcher="inline", reports=tmp_path / "reports")
    eight = quick_study(**{**TWINS, "seeds": list(range(8))})
    run(eight, settings, SILENT_CONSOLE)
    report("quick", settings)
    assert plan(eight, settings).warning == ""
    twelve = quick_study(**{**TWINS, "seeds": list(range(12))})
    warning = plan(twelve, settings).warning
    assert "already computed with 8 seeds" in warning and "with 12 seeds will be exploratory" in warning
