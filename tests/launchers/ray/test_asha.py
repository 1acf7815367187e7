"""ASHA in a search: trials compete within their variant, also with those of earlier runs. No cluster is needed."""

from types import SimpleNamespace

import pytest
from ray.tune.schedulers import TrialScheduler

from harness.execution.trial_group import TrialTask
from harness.io.storage import Folder
from harness.launchers.ray.asha import SearchScheduler
from harness.specs import DataSpec, Execution, Recipe, Resources, Trial, Variant
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import Epoch, History

FIELDS = {"stem": "conv3x3", "block": "basic", "blocks": [1], "widths": [2], "in_channels": 1, "classes": 10}


def trial(shortcut, rate):
    return Trial(
        variant=Variant(name="v", shortcut=shortcut, **FIELDS),
        data=DataSpec(name="digits"),
        recipe=Recipe(epochs=8, batch=64, lr=rate),
        seed=100,
        scheduler="asha",
    )


def history(trial, error):
    epochs = tuple(Epoch(epoch=number, at=number, metrics={"val/error": error}) for number in range(1, 9))
    return History(id=trial.id, trial=trial, outcome=TrialStatus.FINISHED, epochs=epochs)


@pytest.mark.parametrize(("shortcut", "is_pruned"), [("none", True), ("identity", False)])
def test_search_scheduler_prunes_a_trial_only_behind_earlier_trials_of_its_variant(shortcut, is_pruned):
    new, earlier = trial("none", 0.1), trial(shortcut, 0.2)
    folder = Folder.from_location("/nowhere")
    task = TrialTask(new, Execution(), Resources(), folder, "", "", "", False, (8, 8), "", search_metric="val/error")
    pruned = []
    scheduler = SearchScheduler([task], [history(earlier, 1.0)], pruned.append)
    tune_trial = SimpleNamespace(trial_id="one", config={"group": 0})
    scheduler.on_trial_add(None, tune_trial)
    for epoch in (1, 2):
        result = {"status": TrialStatus.RUNNING, "epoch": epoch, "score": 50.0}
        assert scheduler.on_trial_result(None, tune_trial, result) == TrialScheduler.CONTINUE
    assert pruned == ([new.id] if is_pruned else [])
