"""Runs in which seeds vary other sources than usual: trained, resumed, added to, reported, inline and on Ray."""

import pytest
from trial_helpers import SILENT_CONSOLE, results_without_times

from harness.api import collect, plan, run
from harness.reporting.variance.analysis import analyse_variance
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.metrics import TEST_ERROR

DESIGN = {"sources": ["order", "split"], "levels": 3}
CROSSED = {"variants": ["cifar-resnet8"], "contrasts": None, "seeds": None, "variance": DESIGN}


@pytest.fixture
def small_study(quick_study):
    """Return a function that resolves a quick experiment of one tiny variant with some fields changed."""

    def make(**changes):
        variants = {"name": "cifar-resnet8", "set": {"widths": [2, 4, 8]}}
        recipe = {"epochs": 1, "batch": 64, "lr": 0.05}
        return quick_study(**{**CROSSED, "variants": variants, "recipe": recipe, **changes})

    return make


def test_crossed_design_is_trained_resumed_and_added_to(small_study, make_settings, monkeypatch, fail_training):
    settings, study = make_settings(), small_study()
    assert [planned.trial.seed for planned in plan(study, settings).to_run] == list(range(9))
    with monkeypatch.context() as patch:
        fail_training(patch, 40)
        stopped = run(study, settings, SILENT_CONSOLE)
    assert 0 < stopped.trained < 9
    assert stopped.trained + run(study, settings, SILENT_CONSOLE).trained == 9
    results = collect("quick", settings)[0]
    (row,) = (row for row in analyse_variance(results) if row.metric == TEST_ERROR)
    assert row.components.runs == 9
    more = small_study(variance={**DESIGN, "repeats": 2})
    assert [planned.trial.seed for planned in plan(more, settings).to_run] == list(range(9, 18))
    assert run(more, settings, SILENT_CONSOLE).trained == 9
    (row,) = (row for row in analyse_variance(collect("quick", settings)[0]) if row.metric == TEST_ERROR)
    assert (row.components.runs, row.components.freedom) == (18, (4, 8))


@pytest.mark.slow
def test_experiments_share_a_trial_whose_sources_have_equal_seeds(small_study, make_settings):
    """Seed 0 with a varied split is the ordinary trial of seed 0, because the split seed is that of the data plus 0."""
    settings = make_settings(uri=None)
    run(small_study(variance=None, seeds=[0, 1]), settings, SILENT_CONSOLE)
    varied = small_study(
        name="varied", variance=None, seeds=[0, 1], replicate=["initialisation", "order", "augmentation", "split"]
    )
    assert [p.status for p in plan(varied, settings).trials] == [TrialStatus.UNPUBLISHED, TrialStatus.NEW]


@pytest.mark.slow
@pytest.mark.parametrize("execution", [{}, {"seeds_together": 3}], ids=["alone", "ensembles"])
def test_crossed_design_on_ray_gives_bit_for_bit_what_inline_gives(small_study, make_settings, execution):
    """Ray's workers are reused for trials with other splits."""
    study = small_study(execution=execution)
    on_ray, inline = make_settings("ray", None, "ray"), make_settings(home="inline")
    run(study, on_ray, SILENT_CONSOLE)
    run(study, inline, SILENT_CONSOLE)
    # A commit in the repository between the two runs would change the revision.
    one, other = (results_without_times(settings).drop(columns="revision") for settings in (on_ray, inline))
    assert one.equals(other)
    assert len(set(collect("quick", inline)[0].final[TEST_ERROR])) > 3
