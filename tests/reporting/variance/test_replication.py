"""What a report says that its seeds vary."""

import pytest
from reporting_helpers import make_results, make_study

from harness.reporting.page.limitations import list_limitations
from harness.reporting.variance.replication import describe_replication, describe_split_seed, varies_test_images

CROP = {"epochs": 10, "batch": 128, "lr": 0.05, "augment": "crop", "crop_padding": 1}
COMMON = "the data set, the recipe and the machine."
ALL = ["initialisation", "order", "augmentation", "split"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            "The seeds vary the initialisation and the order of the images. Conclusions hold over those, and are "
            f"conditional on one split (split seed 0), {COMMON}",
        ),
        (
            {"recipe": CROP},
            "The seeds vary the initialisation, the order of the images and the augmentation. Conclusions hold over "
            f"those, and are conditional on one split (split seed 0), {COMMON}",
        ),
        (
            {"recipe": CROP, "replicate": ALL},
            "The seeds vary the initialisation, the order of the images, the augmentation and the split. Conclusions "
            f"hold over those, and are conditional on {COMMON}",
        ),
        (
            {"recipe": CROP, "replicate": {"vary": ["split"], "hold_at": 4}},
            "The seeds vary the split. Conclusions hold over that, and are conditional on one initialisation (seed 4), "
            f"one order of the images (seed 4), one augmentation (seed 4), {COMMON}",
        ),
        (
            {"variance": {"sources": ["initialisation", "split"]}, "seeds": list(range(16)), "contrasts": []},
            "The seeds vary the initialisation and the split. Conclusions hold over those, and are conditional on one "
            f"order of the images (seed 0), {COMMON}",
        ),
    ],
)
def test_replication_is_described_with_what_is_varied_and_what_is_held(changes, expected):
    assert describe_replication(make_study(**changes)) == expected


def with_own_test(study):
    return study.replace(data=study.data.model_copy(update={"has_own_test": True}))


def test_replication_with_a_fixed_test_split_names_the_test_images():
    varied = with_own_test(make_study(replicate=["order", "split"], data={"name": "digits", "val_fraction": 0.1}))
    assert "Each seed trains on another part of the training images; the test images are the same for all." in (
        describe_replication(varied)
    )
    assert "conditional on one initialisation (seed 0), the test images, the data set" in describe_replication(varied)
    assert not varies_test_images(varied)
    assert "conditional on the data set's own split, the data set" in describe_replication(with_own_test(make_study()))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "split seed 0"),
        ({"replicate": ["split"]}, "split seed: the trial's seed"),
        ({"replicate": ["split"], "data": {"name": "digits", "split_seed": 5}}, "split seed 5 + the trial's seed"),
    ],
)
def test_split_seed_is_described(changes, expected):
    assert describe_split_seed(make_study(**changes)) == expected


def test_limitation_that_intervals_hold_for_one_split_disappears_where_the_split_varies():
    for replicate, is_limited in ((["initialisation", "order"], True), (["initialisation", "order", "split"], False)):
        results = make_results(make_study(replicate=replicate))
        text = " ".join(list_limitations(results.study, results.final, []))
        assert ("Intervals over seeds hold for this split only" in text) is is_limited
        assert ("are conditional on one split" in text) is is_limited
        assert ("Each seed has its own test images" in text) is not is_limited
