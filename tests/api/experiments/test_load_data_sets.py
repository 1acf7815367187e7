"""Experiments with a list of data sets as the command line loads them: places, and where an error is."""

import pytest

from harness.api import load_resolved_experiment
from harness.errors import HarnessError

DIGITS = {"name": "digits", "train_images": 128}


@pytest.fixture
def load(experiment_file):
    """Return a function that loads an experiment on digits and a second data set."""

    def load_both(second, *overrides, **options):
        recipe = {"epochs": 1, "batch": 32, "lr": 0.05}
        path = experiment_file(data=[DIGITS, second], recipe=recipe, contrasts=None)
        return load_resolved_experiment(str(path), overrides, **options)

    return load_both


def test_networks_get_channels_and_classes_of_each_data_set(load, image_folder):
    study = load({"name": "imagefolder", "root": str(image_folder()), "image_size": 12})
    assert [info.title for info in study.data_sets] == ["digits", "imagefolder"]
    assert [{(v.in_channels, v.classes) for v in view.variants} for view in study.views] == [{(1, 10)}, {(3, 3)}]
    assert [view.data.size for view in study.views] == [(8, 8), (12, 12)]


def test_place_of_the_data_is_that_of_data_sets_that_name_none(load, image_folder):
    study = load({"name": "imagefolder", "root": str(image_folder()), "image_size": 12})
    with pytest.raises(HarnessError, match=r"files of digits|this directory does not exist") as caught:
        load({"name": "imagefolder", "root": study.experiment.data_sets[1].root}, data_root="/nowhere")
    assert ", data.0.root" in caught.value.where


@pytest.mark.parametrize(
    ("second", "field", "message"),
    [
        ({"name": "digitz"}, "data.1.name", "there is no data set 'digitz'"),
        ({"name": "imagefolder"}, "data.1.root", "an imagefolder needs its directory"),
        ({"name": "imagefolder", "root": "/nowhere"}, "data.1.root", "this directory does not exist"),
        ({"name": "digits", "label": "b", "fingerprint": "aa"}, "data.1.fingerprint", "declares aa"),
        ({"name": "digits", "label": "b", "image_size": 16}, "data.1.image_size", "have a fixed size"),
        ({"name": "digits", "label": "b", "train_images": 128}, "data", "is the same data set as entry 0"),
        ({"name": "digits", "label": "b", "train_images": 20}, "recipe.batch", "larger than the 20 training images"),
    ],
)
def test_error_about_the_second_data_set_names_it_and_its_line(load, tmp_path, second, field, message):
    with pytest.raises(HarnessError, match=message) as caught:
        load(second)
    lines = (tmp_path / "quick.yaml").read_text().splitlines()
    start = next(n for n, text in enumerate(lines, 1) if text.startswith(field.partition(".")[0]))
    line = int(caught.value.where.partition(":")[2].partition(",")[0])
    assert f", {field}" in caught.value.where
    assert start <= line <= start + 8


def test_second_data_set_is_changed_by_its_number(load):
    study = load({"name": "digits", "label": "other", "split_seed": 1}, "data.1.split_seed=7")
    assert [spec.split_seed for spec in study.experiment.data_sets] == [0, 7]
