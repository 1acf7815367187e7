import pytest

from harness.costs.complexity import count_network
from harness.costs.complexity_by_stage import compare_costs, list_layer_costs, list_stage_costs
from harness.specs import ExternalNetwork
from harness.specs.network.layer_plan import plan_layers


@pytest.mark.parametrize("name", ["resnet50", "cifar-plain20", "wrn-28-10", "se-resnet18", "resnext50_32x4d"])
@pytest.mark.parametrize("by", ["stage", "layer"])
def test_costs_of_the_parts_add_up_to_those_of_the_network(catalogue, name, by):
    variant = catalogue.get(name)
    plan = plan_layers(variant, 64)
    rows = list_stage_costs(variant, (64, 64)) if by == "stage" else list(list_layer_costs(plan))
    assert sum(row.params for row in rows) == plan.params
    assert sum(row.macs for row in rows) == plan.macs
    assert sum(row.activations for row in rows) == plan.activations
    assert by == "layer" or len(rows) == len(plan.stages) + 2


def test_costs_by_stage_of_an_external_network_are_those_of_its_modules(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path))
    spec = ExternalNetwork(kind="torchvision", factory="squeezenet1_1", classes=5)
    rows, costs = list_stage_costs(spec, (64, 64)), count_network(spec, (64, 64))
    assert [(row.name, row.output) for row in rows] == [("features", (512, 3, 3)), ("classifier", (5, 1, 1))]
    assert sum(row.params for row in rows) == costs.params
    assert sum(row.macs for row in rows) == costs.macs


def test_twins_with_option_a_shortcuts_cost_the_same(catalogue):
    option_a = compare_costs(catalogue.get("cifar-resnet20"), catalogue.get("cifar-plain20"), (32, 32))
    assert option_a.twins and option_a.fields == {"shortcut": ("identity", "none")}
    assert option_a.costs[0] == option_a.costs[1]
    assert (option_a.shortcuts[0].params, option_a.shortcuts[0].macs) == (0, 0)


def test_twins_with_option_b_shortcuts_differ_by_the_projections(catalogue):
    option_b = compare_costs(catalogue.get("plain18"), catalogue.get("resnet18"), (224, 224))
    assert option_b.twins
    assert option_b.costs[1].params - option_b.costs[0].params == option_b.shortcuts[1].params == 173824
    assert option_b.costs[1].macs - option_b.costs[0].macs == option_b.shortcuts[1].macs == 19267584


def test_compare_costs_of_variants_that_are_no_twins_lists_their_fields(catalogue):
    comparison = compare_costs(catalogue.get("resnet50"), catalogue.get("resnext50_32x4d"), (224, 224))
    assert not comparison.twins and comparison.fields == {"groups": (1, 32), "group_width": (None, 4)}


def test_compare_costs_of_a_variant_with_itself_finds_no_difference(catalogue):
    comparison = compare_costs(catalogue.get("resnet18"), catalogue.get("resnet18"), (224, 224))
    assert not comparison.twins and comparison.fields == {}


def test_compare_costs_with_an_external_network_names_the_kind(catalogue):
    external = ExternalNetwork(kind="torchvision", factory="squeezenet1_1")
    comparison = compare_costs(catalogue.get("resnet18"), external, (64, 64))
    assert not comparison.twins and comparison.fields["kind"] == ("residual", "torchvision")
