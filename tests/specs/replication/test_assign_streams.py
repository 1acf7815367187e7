"""The seeds of a trial's sources: defaults change no id, and equal computations have equal ids."""

import pytest

from harness.errors import HarnessError
from harness.specs import DataSpec, Recipe, Trial
from harness.specs.replication.effective_sources import require_effective_sources
from harness.specs.replication.sources import SOURCES, StreamSeeds

CROP = {"epochs": 2, "batch": 64, "lr": 0.05, "augment": "crop", "crop_padding": 1}
DEFAULT = ["initialisation", "order", "augmentation"]


def seeds_of(trial):
    return tuple(trial.seed_of(source) for source in SOURCES)


def test_ids_of_trials_with_seeds_of_their_own_do_not_change(catalogue):
    fields = {
        "variant": catalogue.get("cifar-resnet20"),
        "data": DataSpec(name="digits", fingerprint="4762797d5258adf1"),
        "recipe": Recipe(epochs=10, batch=128, lr=0.05),
        "seed": 10,
    }
    assert Trial(**fields, streams=StreamSeeds()).id == "803852b0e328"
    assert Trial(**fields, streams=StreamSeeds(order=0)).id == "1f0120f80908"
    assert Trial(**fields, streams=StreamSeeds(split=10)).id == "d98b2c2e79e0"
    other_split = DataSpec(name="digits", fingerprint="4762797d5258adf1", split_seed=10)
    assert Trial(**{**fields, "data": other_split}).id == "d98b2c2e79e0"


def test_default_sources_written_out_change_no_trial(quick_study):
    default = quick_study(contrasts=None)
    written = quick_study(contrasts=None, replicate=DEFAULT)
    assert written.trials == default.trials
    assert all(trial.streams == StreamSeeds() for trial in default.trials)
    assert "replicate" not in default.to_record_json()


@pytest.mark.parametrize(
    ("replicate", "expected"),
    [
        (["initialisation", "order", "split"], (5, 5, 0, 8)),
        (["initialisation"], (5, 0, 0, 3)),
        (["split"], (0, 0, 0, 8)),
        ({"vary": ["order"], "hold_at": 9}, (9, 5, 9, 3)),
        (DEFAULT, (5, 5, 5, 3)),
    ],
)
def test_seeds_vary_the_declared_sources_and_hold_the_others(quick_study, replicate, expected):
    data = {"name": "digits", "train_images": 256, "split_seed": 3}
    study = quick_study(contrasts=None, replicate=replicate, recipe=CROP, seeds=[5], data=data)
    assert {seeds_of(trial) for trial in study.trials} == {expected}


def test_augmentation_that_draws_nothing_changes_no_id(quick_study):
    without, held = quick_study(contrasts=None), quick_study(contrasts=None, replicate=["initialisation", "order"])
    assert [trial.id for trial in held.trials] == [trial.id for trial in without.trials]


def test_trial_whose_seed_is_the_held_one_is_an_ordinary_trial(quick_study):
    held = quick_study(contrasts=None, replicate=["order"], seeds=[0, 1], recipe=CROP)
    ordinary = {trial.id for trial in quick_study(contrasts=None, seeds=[0, 1], recipe=CROP).trials}
    assert [trial.id in ordinary for trial in held.trials] == [True, False] * 4


def test_split_of_a_seed_is_that_of_an_experiment_with_this_split_seed(quick_study):
    varied = quick_study(contrasts=None, replicate=[*DEFAULT, "split"], seeds=[7])
    fixed = quick_study(contrasts=None, seeds=[7], data={"name": "digits", "train_images": 256, "split_seed": 7})
    assert [trial.id for trial in varied.trials] == [trial.id for trial in fixed.trials]


def test_split_seed_beyond_the_largest_seed_wraps_around(quick_study):
    data = {"name": "digits", "train_images": 256, "split_seed": 2**32 - 1}
    study = quick_study(contrasts=None, replicate=["split"], seeds=[3], data=data)
    assert study.trials[0].seed_of("split") == 2


def test_cells_and_contrast_keys_do_not_depend_on_the_seeds(quick_study):
    small, large = (quick_study(replicate=[*DEFAULT, "split"], seeds=seeds) for seeds in ([1, 2], [1, 2, 3]))
    assert small.contrast_keys == large.contrast_keys
    assert {str(t.cell_identity()) for t in large.trials} == {str(t.cell_identity()) for t in small.trials}
    assert small.contrast_keys != quick_study(seeds=[1, 2]).contrast_keys


def test_experiment_as_recorded_reads_back_with_the_same_trials(quick_study):
    study = quick_study(contrasts=None, seeds=None, variance={"sources": ["order", "split"], "levels": 3})
    again = type(study).model_validate_json(study.to_record_json())
    assert [trial.id for trial in again.trials] == [trial.id for trial in study.trials]


def own_test(study, **data):
    """The study as if its data set had a test split of its own."""
    info = study.data.model_copy(update={"has_own_test": True})
    spec = study.data_spec.model_copy(update=data)
    return study.replace(data=info, experiment=study.experiment.model_copy(update={"data": spec}))


def test_split_of_a_data_set_with_its_own_test_split_needs_images_to_divide(quick_study):
    study = quick_study(contrasts=None, replicate=["order", "split"], data={"name": "digits"})
    require_effective_sources(study)
    with pytest.raises(HarnessError, match=r"has a test split of its own.*no split can vary") as refused:
        require_effective_sources(own_test(study))
    assert "data.val_fraction or data.train_images" in refused.value.remedy
    require_effective_sources(own_test(study, val_fraction=0.1))
    require_effective_sources(own_test(study, train_images=256))
