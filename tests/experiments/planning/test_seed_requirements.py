"""Seeds and interim looks that can never decide an experiment's contrasts are refused when it is loaded."""

import pytest
from trial_helpers import SILENT_CONSOLE

from harness.api import Settings, plan, report, run
from harness.errors import HarnessError
from harness.experiments.planning.seed_requirements import require_enough_seeds
from harness.specs.declarations.analysis import AnalysisLog, current_time
from harness.specs.declarations.declare import add_logs, build_analysis, declare

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
        (
            {"looks": [8, 9, 10], "level": 0.01},
            "8 seeds cannot decide every contrast: 1 verdict and 3 looks",
            "9 seeds",
        ),
        ({"level": 0.001}, "10 seeds cannot decide every contrast: 1 verdict shares the level of 0.001", "11 seeds"),
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
    with pytest.raises(HarnessError, match=r"10 verdicts share the level .* 0\.75 of such a share, 0\.0038"):
        require_enough_seeds(with_contrasts(10))


DEGRADATION = [{"kind": "degradation", "shallow": 8, "deep": 14, "margin": 1.0}]


@pytest.mark.parametrize(("level", "seeds"), [(0.0078125, 8), (0.0078, 9)])
def test_non_inferiority_needs_seeds_for_half_of_the_level(quick_study, level, seeds):
    """With eight pairs the smallest p is 1/256, which is exactly half of 1/128."""
    changes = {"contrasts": DEGRADATION, "level": level}
    assert quick_study(**changes, seeds=list(range(seeds)))
    if seeds > 8:
        with pytest.raises(HarnessError, match=r"0\.5 of such a share, 0\.0039") as refused:
            quick_study(**changes, seeds=list(range(8)))
        assert "at least 9 seeds" in refused.value.remedy


def test_stages_need_enough_seeds_at_the_most(quick_study):
    changes = {"contrasts": DEGRADATION, "level": 0.0005, "seeds": [0]}
    # Half of 0.0005 is above 1/2^12 and below 1/2^11.
    assert quick_study(**changes, decide={"first": 8, "step": 2, "most": 12})
    with pytest.raises(HarnessError, match="11 seeds cannot decide every contrast") as refused:
        quick_study(**changes, decide={"first": 8, "step": 3, "most": 11})
    assert refused.value.where.endswith(", decide.most") and "at least 12 seeds as the most" in refused.value.remedy


def test_further_batch_of_seeds_needs_seeds_for_its_share_of_the_level(quick_study):
    """The second batch has a quarter of the level: 0.0125, which eight seeds reach, but not 0.003125."""
    study = quick_study(**{**TWINS, "seeds": list(range(8))})
    log = AnalysisLog(
        declarations=(declare(study),), analyses=(build_analysis(study, 0, range(8), "undecided", current_time()),)
    )
    for level, is_enough in ((0.05, True), (0.0125, False)):
        fresh = quick_study(**{**TWINS, "seeds": list(range(20, 28)), "level": level})
        later = add_logs(fresh, [log])
        if is_enough:
            require_enough_seeds(later)
        else:
            require_enough_seeds(fresh)
            with pytest.raises(HarnessError, match=r"1/4 of the level of 0\.0125 \(for a further batch"):
                require_enough_seeds(later)


def test_plan_with_more_seeds_warns_of_a_look_that_was_not_declared(quick_study, tmp_path):
    settings = Settings(home=tmp_path / "home", tracking_uri="none", launcher="inline", reports=tmp_path / "reports")
    eight = quick_study(**{**TWINS, "seeds": list(range(8))})
    run(eight, settings, SILENT_CONSOLE)
    report("quick", settings)
    assert plan(eight, settings).warning == ""
    twelve = quick_study(**{**TWINS, "seeds": list(range(12))})
    warning = plan(twelve, settings).warning
    assert "already computed with 8 seeds" in warning and "with 12 seeds will be exploratory" in warning
