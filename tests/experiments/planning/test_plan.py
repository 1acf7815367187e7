"""A plan: the order of its trials, its estimates, and its warnings."""

from dataclasses import replace

import pytest
from trial_helpers import SILENT_CONSOLE

from harness.api import Settings, plan, run
from harness.experiments.planning.plan import make_plan
from harness.io.storage import Folder
from harness.processes import machine_memory
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.record import open_checkpoint_folder, open_record

GIB = 2**30


@pytest.fixture
def plan_new(tmp_path):
    """Return a function that plans an experiment of which nothing is recorded, with two trials at a time."""

    def make(study):
        storage = Folder.from_location(tmp_path / "trials")
        return make_plan(study, CheckpointRecord(tmp_path, "quick", storage), storage, 2)

    return make


def test_plan_starts_with_the_longest_trials(quick_study, plan_new):
    made = plan_new(quick_study())
    assert [planned.trial.variant.depth for planned in made.to_run] == [14] * 4 + [8] * 4
    assert made.seconds == pytest.approx(sum(planned.seconds for planned in made.to_run) / 2)
    assert [planned.status for planned in made.trials] == [TrialStatus.NEW] * 8 and made.recorded == 0


def test_plan_names_the_storage_in_which_trials_were_started(
    one_seed_study, settings, tmp_path, monkeypatch, fail_training
):
    if settings.tracking_uri == "none":
        pytest.skip("without a store, another storage is another record")
    with monkeypatch.context() as patched:
        fail_training(patched, 20)
        assert run(one_seed_study, settings, SILENT_CONSOLE).failed
    assert any(p.status == TrialStatus.INTERRUPTED for p in plan(one_seed_study, settings).trials)
    moved = replace(settings, storage=str(tmp_path / "other"))
    warning = plan(one_seed_study, moved).warning
    assert "started with checkpoints in" in warning
    assert f"--storage {open_checkpoint_folder(settings)}" in warning
    assert plan(one_seed_study, settings).warning == ""
    run(one_seed_study, settings, SILENT_CONSOLE)
    assert plan(one_seed_study, moved).warning == "", "no trial is left to resume"


def test_plan_warns_when_measured_memory_does_not_fit(quick_study, settings, monkeypatch):
    """The memory of a trial is measured; only the number of trials at a time is made up."""
    only = {"variants": {"family": "cifar-resnet", "depth": 8, "set": {"widths": [2, 4, 8]}}, "contrasts": None}
    run(quick_study(seeds=[100], **only), settings, SILENT_CONSOLE)
    for trial in open_record(settings, "quick").read_trials().values():
        assert 50 * 2**20 < trial.memory[0] < 8 * GIB
        assert trial.memory[1] == machine_memory()
    study = quick_study(seeds=[100, 101], **only)
    name = "harness.experiments.planning.plan.count_concurrent_trials"
    monkeypatch.setattr(name, lambda resources, settings: 10**6)
    assert "use --set resources.max_concurrent=" in plan(study, settings).warning
    monkeypatch.setattr(name, lambda resources, settings: 1)
    assert plan(study, settings).warning == ""


def test_plan_lists_what_was_changed_since_the_last_run(quick_study, tmp_path):
    settings = Settings(home=tmp_path / "home", tracking_uri="none", launcher="inline")
    run(quick_study(seeds=[100]), settings, SILENT_CONSOLE)
    recipe = {"epochs": 2, "batch": 64, "lr": 0.1}
    changes = plan(quick_study(seeds=[101], recipe=recipe), settings).changes
    assert changes == ("recipe.lr: 0.05 -> 0.1", "seeds: without 100; new 101")
    assert plan(quick_study(seeds=[100]), settings).changes == ()
