"""Three counters, one number."""

import pytest

from harness.costs import count_network, static_costs
from harness.errors import HarnessError
from harness.specs import Variant

NAMES = ["resnet18", "plain18", "resnet50", "plain50", "cifar-resnet20", "cifar-plain20", "cifar-resnet29-bottleneck"]


@pytest.mark.parametrize("name", NAMES)
def test_plan_fvcore_and_torch_agree_as_integers(catalogue, name):
    """``count`` raises where they do not; fvcore is the counter of record."""
    variant = catalogue.get(name)
    counted, planned = count_network(variant, (32, 32)), static_costs(variant, (32, 32))
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
def test_every_field_is_counted_alike(fields):
    base = {"stem": "conv3x3", "block": "basic", "blocks": [1, 2], "widths": [8, 16], "shortcut": "identity"}
    count_network(Variant(**{**base, **fields}), (17, 13))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_counters_agree_on_the_whole_catalogue(catalogue):
    """At a small size where a large one would only take longer: the same layers."""
    for variant in catalogue.members():
        side = min(catalogue.family(variant.family).input_size, 64)
        counted, planned = count_network(variant, (side, side)), static_costs(variant, (side, side))
        assert (counted.params, counted.macs) == (planned.params, planned.macs), variant.name


def test_odd_sizes_agree_too(catalogue):
    count_network(catalogue.get("resnet18"), (45, 37))


def test_a_disagreement_is_an_error(catalogue, monkeypatch):
    variant = Variant(**{**catalogue.get("cifar-resnet8").model_dump(), "widths": (3, 6, 12)})
    monkeypatch.setattr("harness.costs.complexity._fvcore", lambda *_: (1, 2))
    with pytest.raises(HarnessError, match="counters disagree"):
        count_network(variant, (8, 8))
