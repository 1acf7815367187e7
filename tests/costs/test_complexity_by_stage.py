"""Costs by part add up to the whole, and a comparison says what differs."""

import pytest

from harness.costs import count_network
from harness.costs.complexity_by_stage import by_layer, by_stage, compare_costs
from harness.specs import ExternalNetwork
from harness.specs.network.layer_plan import plan_layers


@pytest.mark.parametrize("name", ["resnet50", "cifar-plain20", "wrn-28-10", "se-resnet18", "resnext50_32x4d"])
def test_parts_add_up(catalogue, name):
    variant = catalogue.get(name)
    plan = plan_layers(variant, 64)
    for rows in (by_stage(variant, (64, 64)), list(by_layer(plan))):
        assert sum(row.params for row in rows) == plan.params
        assert sum(row.macs for row in rows) == plan.macs
        assert sum(row.activations for row in rows) == plan.activations
    assert len(by_stage(variant, (64, 64))) == len(plan.stages) + 2


def test_a_foreign_network_is_counted_by_its_modules(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path))
    spec = ExternalNetwork(kind="torchvision", factory="squeezenet1_1", classes=5)
    rows, costs = by_stage(spec, (64, 64)), count_network(spec, (64, 64))
    assert [(row.name, row.output) for row in rows] == [("features", (512, 3, 3)), ("classifier", (5, 1, 1))]
    assert sum(row.params for row in rows) == costs.params
    assert sum(row.macs for row in rows) == costs.macs


def test_twins_of_option_a_cost_the_same_and_those_of_b_the_projections_more(catalogue):
    option_a = compare_costs(catalogue.get("cifar-resnet20"), catalogue.get("cifar-plain20"), (32, 32))
    assert option_a.twins and option_a.fields == {"shortcut": ("identity", "none")}
    assert option_a.costs[0] == option_a.costs[1]
    assert (option_a.shortcuts[0].params, option_a.shortcuts[0].macs) == (0, 0)
    option_b = compare_costs(catalogue.get("plain18"), catalogue.get("resnet18"), (224, 224))
    assert option_b.twins
    assert option_b.costs[1].params - option_b.costs[0].params == option_b.shortcuts[1].params == 173824
    assert option_b.costs[1].macs - option_b.costs[0].macs == option_b.shortcuts[1].macs == 19267584


def test_other_variants_are_no_twins(catalogue):
    found = compare_costs(catalogue.get("resnet50"), catalogue.get("resnext50_32x4d"), (224, 224))
    assert not found.twins and found.fields == {"groups": (1, 32), "group_width": (None, 4)}
    same = compare_costs(catalogue.get("resnet18"), catalogue.get("resnet18"), (224, 224))
    assert not same.twins and same.fields == {}
    foreign = compare_costs(
        catalogue.get("resnet18"), ExternalNetwork(kind="torchvision", factory="squeezenet1_1"), (64, 64)
    )
    assert not foreign.twins and foreign.fields["kind"] == ("residual", "torchvision")


def test_a_training_step_takes_more_memory_with_more_images(catalogue):
    plan = plan_layers(catalogue.get("resnet18"), 224)
    assert plan.weight_bytes() == 4 * 11689512
    assert plan.training_bytes(2) - plan.training_bytes(1) == 12 * plan.activations
    assert plan.training_bytes(1, copies=4) - plan.training_bytes(1) == plan.weight_bytes()
