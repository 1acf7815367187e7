"""Tasks and groups of trials small enough to be trained many times: 8 steps in 2 epochs on 256 digits."""

from dataclasses import replace
from itertools import count

import pytest

from harness.data.description import describe_data
from harness.execution.trial_group import TrialGroup, TrialTask
from harness.io.storage import Folder
from harness.specs import DataSpec, Execution, Recipe, Resources, Trial, Variant

SEEDS = (100, 101, 102)
SAVE_EVERY_STEP = {"checkpoint_seconds": 0}
VARIANT = {
    "name": "small",
    "stem": "conv3x3",
    "block": "basic",
    "blocks": [1, 1, 1],
    "widths": [2, 4, 8],
    "shortcut": "identity",
    "in_channels": 1,
    "classes": 10,
}


@pytest.fixture
def make_task(tmp_path):
    """Return the task of one trial, in a folder of its own, with some of its settings changed."""
    numbers = count()

    def make(
        recipe=None, variant=None, data=None, resources=None, execution=SAVE_EVERY_STEP, launch="one", folder=None
    ):
        _, data = describe_data(DataSpec(**{"name": "digits", "train_images": 256, **(data or {})}))
        trial = Trial(
            variant=Variant(**{**VARIANT, **(variant or {})}),
            data=data,
            recipe=Recipe(**{"epochs": 2, "batch": 64, "lr": 0.05, **(recipe or {})}),
            seed=SEEDS[0],
        )
        return TrialTask(
            trial=trial,
            execution=Execution(**execution),
            resources=Resources(**(resources or {})),
            folder=folder or Folder.from_location(tmp_path / f"task-{next(numbers)}" / trial.id),
            tracking_uri="",
            run_id="",
            launch=launch,
            shares_device=False,
            image_size=(8, 8),
            revision="",
        )

    return make


@pytest.fixture
def make_ensemble(make_task, tmp_path):
    """Return a group of three seeds that train together, in folders of their own or in those of another ensemble."""
    numbers = count()

    def make(recipe=None, execution=SAVE_EVERY_STEP, same_folders_as=None, trained_seeds=SEEDS):
        task = make_task(recipe, execution=execution)
        storage = (
            same_folders_as.tasks[0].folder.parent
            if same_folders_as is not None
            else Folder.from_location(tmp_path / f"ensemble-{next(numbers)}")
        )
        fields = {name: getattr(task.trial, name) for name in ("variant", "data", "recipe")}
        trials = [Trial(**fields, seed=seed) for seed in trained_seeds]
        return TrialGroup(tuple(replace(task, trial=trial, folder=storage / trial.id) for trial in trials), SEEDS)

    return make
