"""The variant: which fields are valid together, its depth, and its plain twin."""

import pytest
from pydantic import ValidationError

from harness.specs import Variant

TINY = {"stem": "conv3x3", "block": "basic", "blocks": [1, 1], "widths": [4, 8], "shortcut": "identity"}


def test_plain_twin_differs_from_its_residual_network_only_in_the_shortcut(catalogue):
    residual, plain = catalogue.get("cifar-resnet20"), catalogue.get("cifar-plain20")
    assert plain.model_dump(exclude={"name", "shortcut"}) == residual.model_dump(exclude={"name", "shortcut"})
    assert plain.is_plain and not residual.is_plain


@pytest.mark.parametrize(
    ("name", "depth"),
    [("resnet18", 18), ("plain101", 101), ("cifar-resnet1202", 1202), ("cifar-resnet29-bottleneck", 29)],
)
def test_variant_depth_counts_the_layers_with_weights(catalogue, name, depth):
    assert catalogue.get(name).depth == depth


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": [4, -8]}, "greater than 0"),
        ({"widths": [4]}, "blocks has 2 entries and widths has 1"),
        ({"blocks": []}, "at least 1"),
        ({"blocks": [5000, 1]}, "5,001 blocks is too deep"),
        ({"shortcut": "identiti"}, "Did you mean 'identity'"),
        ({"widths": [8, 4]}, "cannot reduce the number of channels"),
        ({"colour": 1}, "Extra inputs"),
        ({"classes": 1}, "greater than 1"),
        ({"shortcut": "none", "zero_init_last": True}, "zero_init_last needs a shortcut"),
        ({"shortcut": "none", "stochastic_depth": 0.1}, "stochastic_depth needs a shortcut"),
        ({"shortcut": "none", "residual_scale": 0}, "residual_scale needs a shortcut"),
        ({"zero_init_last": True, "residual_scale": 0}, "give the branches no gradient"),
        ({"zero_init_last": True, "preactivation": True}, "cannot be combined with preactivation"),
        ({"groups": 2, "group_width": 2}, "groups needs block 'bottleneck'"),
        ({"stride_on": "1x1"}, "stride_on needs block 'bottleneck'"),
        ({"block": "bottleneck", "groups": 2}, "groups needs group_width"),
        ({"stochastic_depth": 1}, "less than 1"),
        ({"block": "bottleneck", "group_width": 4, "widening": 2}, "both set the inner width"),
        ({"widening": 0}, "greater than 0"),
        ({"widening": 100, "widths": [4, 65536]}, "channels is too wide"),
    ],
)
def test_variant_refuses_invalid_fields(change, message):
    with pytest.raises(ValidationError, match=message):
        Variant(**{**TINY, **change})


@pytest.mark.parametrize(("option", "name"), [("A", "identity"), ("B", "projection"), ("C", "projection-everywhere")])
def test_variant_accepts_the_shortcut_names_of_the_paper(option, name):
    assert Variant(**{**TINY, "shortcut": option}) == Variant(**{**TINY, "shortcut": name})
