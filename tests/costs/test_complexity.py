"""The layer plan, fvcore and torch's counter give the same integers; count_network raises where they do not."""

import pytest

from harness.costs.complexity import compute_static_costs, count_network
from harness.errors import HarnessError
from harness.specs import Catalogue, Variant

NAMES = ["resnet18", "plain18", "resnet50", "plain50", "cifar-resnet20", "cifar-plain20", "cifar-resnet29-bottleneck"]
VERY_DEEP = 200
"""Networks above this depth take fvcore minutes, and repeat the same blocks."""


@pytest.mark.parametrize("name", NAMES)
def test_count_network_equals_the_layer_plan(catalogue, name):
    variant = catalogue.get(name)
    counted, planned = count_network(variant, (32, 32)), compute_static_costs(variant, (32, 32))
    assert counted.counter == "fvcore"
    assert (counted.params, counted.macs, counted.activations) == (planned.params, planned.macs, planned.activations)
    assert counted.flops == 2 * counted.macs


@pytest.mark.parametrize(
    "fields",
    [
        {"preactivation": True, "shortcut": "projection"},
        {"block": "bottleneck", "groups": 4, "group_width": 2, "stride_on": "1x1"},
        {"se_reduction": 4, "widening": 1.5, "shortcut": "projection-everywhere"},
        {"stochastic_depth": 0.5, "residual_scale": 0.0, "norm": "group"},
    ],
)
def test_count_network_agrees_for_every_field_of_a_variant(fields):
    base = {"stem": "conv3x3", "block": "basic", "blocks": [1, 2], "widths": [8, 16], "shortcut": "identity"}
    count_network(Variant(**{**base, **fields}), (17, 13))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(variant.name, marks=[pytest.mark.long] * (variant.depth > VERY_DEEP))
        for variant, _ in Catalogue.load().networks()
        if isinstance(variant, Variant)
    ],
)
def test_count_network_equals_the_layer_plan_for_the_whole_catalogue(catalogue, name):
    """At 64 pixels or fewer: larger images have the same layers and take longer."""
    variant = catalogue.get(name)
    side = min(catalogue.family(variant.family).input_size, 64)
    counted, planned = count_network(variant, (side, side)), compute_static_costs(variant, (side, side))
    assert (counted.params, counted.macs) == (planned.params, planned.macs)


def test_count_network_agrees_for_images_of_odd_size(catalogue):
    count_network(catalogue.get("resnet18"), (45, 37))


def test_count_network_refuses_counters_that_disagree(catalogue, monkeypatch):
    variant = Variant(**{**catalogue.get("cifar-resnet8").model_dump(), "widths": (3, 6, 12)})
    monkeypatch.setattr("harness.costs.counters.count_with_fvcore", lambda *_: (1, 2))
    with pytest.raises(HarnessError, match="counters disagree"):
        count_network(variant, (8, 8))
