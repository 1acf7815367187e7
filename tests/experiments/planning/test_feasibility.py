"""Experiments that cannot be trained are refused when they are loaded."""

import pytest

from harness.errors import HarnessError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": {"epochs": 1, "batch": 257, "lr": 0.1}}, "larger than the 256 training images"),
        ({"recipe": {"epochs": 1, "batch": 8, "lr": 0.1, "augment": "resized-crop-flip"}}, "image files"),
        (
            {"recipe": {"epochs": 1, "batch": 8, "lr": 0.1, "augment": "crop", "crop_padding": 8}},
            "a crop can miss an image of 8 pixels",
        ),
        (
            {
                "variants": {"family": "cifar-resnet", "depth": 56, "set": {"widths": [1024] * 3}},
                "recipe": {"epochs": 10**6, "batch": 2, "lr": 0.1},
                "contrasts": None,
            },
            "would take about .* years",
        ),
        (
            {"variants": {"family": "cifar-resnet", "depth": 8, "set": {"widths": [9000] * 3}}, "contrasts": None},
            "parameters",
        ),
        (
            {"contrasts": [{"kind": "degradation", "shallow": 8, "deep": 14, "margin": 0.5}]},
            "less than 2 of the 256 training images",
        ),
    ],
    ids=["batch", "augmentation", "padding", "epochs", "widths", "margin"],
)
def test_experiment_that_cannot_be_trained_is_refused(quick_study, changes, words):
    with pytest.raises(HarnessError, match=words):
        quick_study(**changes)
