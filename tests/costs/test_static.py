"""Three counters, one number."""

import pytest

from harness.costs import count, static_costs
from harness.errors import HarnessError
from harness.specs import Variant

NAMES = ["resnet18", "plain18", "resnet50", "plain50", "cifar-resnet20", "cifar-plain20", "cifar-resnet29-bottleneck"]


@pytest.mark.parametrize("name", NAMES)
def test_plan_fvcore_and_torch_agree_as_integers(catalogue, name):
    """``count`` raises where they do not; fvcore is the counter of record."""
    variant = catalogue.get(name)
    counted, planned = count(variant, (32, 32)), static_costs(variant, (32, 32))
    assert counted.counter == "fvcore"
    assert (counted.params, counted.macs, counted.activations) == (planned.params, planned.macs, planned.activations)
    assert counted.flops == 2 * counted.macs


def test_odd_sizes_agree_too(catalogue):
    count(catalogue.get("resnet18"), (45, 37))


def test_a_disagreement_is_an_error(catalogue, monkeypatch):
    variant = Variant(**{**catalogue.get("cifar-resnet8").model_dump(), "widths": (3, 6, 12)})
    monkeypatch.setattr("harness.costs.static._fvcore", lambda *_: (1, 2))
    with pytest.raises(HarnessError, match="counters disagree"):
        count(variant, (8, 8))
