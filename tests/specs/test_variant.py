"""The variant and its layer plan: exact counts, shapes, and what is refused."""

import csv

import pytest
from pydantic import ValidationError

from harness.errors import HarnessError
from harness.specs import Variant
from harness.specs.network.layer_plan import plan_layers, require_input
from harness.specs.network.layers import Conv

TINY = {"stem": "conv3x3", "block": "basic", "blocks": [1, 1], "widths": [4, 8], "shortcut": "identity"}

# Exact costs: published in He et al. 2015, by torchvision, timm (se-resnet50) and Zagoruyko's own code (wrn-28-10),
# counted with fvcore; MACs of conv + linear.
GOLDEN = """\
variant,side,shortcut,params,macs
resnet18,224,projection,11689512,1814073344
resnet34,224,projection,21797672,3663761408
resnet50,224,projection,25557032,4089184256
resnet101,224,projection,44549160,7801405440
plain18,224,none,11515688,1794805760
plain34,224,none,21623848,3644493824
plain50,224,none,22780456,3729522688
plain101,224,none,41772584,7441743872
cifar-resnet20,32,identity,269722,40551040
cifar-resnet32,32,identity,464154,68862592
cifar-resnet44,32,identity,658586,97174144
cifar-resnet56,32,identity,853018,125485696
cifar-resnet110,32,identity,1727962,252887680
cifar-resnet1202,32,identity,19421274,2829238912
cifar-plain20,32,none,269722,40551040
cifar-plain56,32,none,853018,125485696
cifar-plain110,32,none,1727962,252887680
cifar-resnet20,32,projection,272474,
cifar-resnet32,32,projection,466906,
cifar-resnet44,32,projection,661338,
cifar-resnet56,32,projection,855770,
cifar-resnet110,32,projection,1730714,
cifar-resnet1202,32,projection,19424026,
resnet152,224,projection,60192808,
resnext50_32x4d,224,projection,25028904,
resnext101_32x8d,224,projection,88791336,
resnext101_64x4d,224,projection,83455272,
wide_resnet50_2,224,projection,68883240,
wide_resnet101_2,224,projection,126886696,
se-resnet50,224,projection,28088024,
wrn-28-10,32,projection,36479194,
"""
ROWS = list(csv.DictReader(GOLDEN.splitlines()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['variant']}-{row['shortcut']}")
def test_plan_has_the_published_counts(catalogue, row):
    variant = catalogue.get(row["variant"])
    if row["shortcut"] != variant.shortcut:
        variant = Variant(**{**variant.model_dump(), "shortcut": row["shortcut"]})
    plan = plan_layers(variant, int(row["side"]))
    assert plan.params == int(row["params"])
    if row["macs"]:
        assert plan.macs == int(row["macs"])


def test_twins_differ_in_the_shortcut_alone(catalogue):
    residual, plain = catalogue.get("cifar-resnet20"), catalogue.get("cifar-plain20")
    assert plain.model_dump(exclude={"name", "shortcut"}) == residual.model_dump(exclude={"name", "shortcut"})
    assert plain.is_plain and not residual.is_plain


def test_option_b_adds_exactly_the_projections(catalogue):
    residual, plain = plan_layers(catalogue.get("resnet18"), 224), plan_layers(catalogue.get("plain18"), 224)
    projections = [layer for stage in residual.stages for block in stage for layer in block.shortcut or ()]
    assert residual.params - plain.params == sum(layer.params for layer in projections)
    assert residual.macs - plain.macs == sum(layer.macs for layer in projections)


@pytest.mark.parametrize(
    ("name", "depth"),
    [("resnet18", 18), ("plain101", 101), ("cifar-resnet1202", 1202), ("cifar-resnet29-bottleneck", 29)],
)
def test_depth_counts_layers_with_weights(catalogue, name, depth):
    assert catalogue.get(name).depth == depth


def test_odd_sizes_round_as_convolutions_do():
    plan = plan_layers(Variant(**TINY), (9, 7))
    assert plan.stages[1][0].output == (8, 5, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": [4, -8]}, "greater than 0"),
        ({"widths": [4]}, "same number"),
        ({"blocks": []}, "at least 1"),
        ({"shortcut": "identiti"}, "Did you mean 'identity'"),
        ({"widths": [8, 4]}, "can not shrink"),
        ({"colour": 1}, "Extra inputs"),
        ({"classes": 1}, "greater than 1"),
        ({"shortcut": "none", "zero_init_last": True}, "zero_init_last goes with a shortcut"),
        ({"shortcut": "none", "stochastic_depth": 0.1}, "stochastic_depth goes with a shortcut"),
        ({"shortcut": "none", "residual_scale": 0}, "residual_scale goes with a shortcut"),
        ({"zero_init_last": True, "residual_scale": 0}, "without any gradient"),
        ({"zero_init_last": True, "preactivation": True}, "does not go with preactivation"),
        ({"groups": 2, "group_width": 2}, "groups goes with block 'bottleneck'"),
        ({"stride_on": "1x1"}, "stride_on goes with block 'bottleneck'"),
        ({"block": "bottleneck", "groups": 2}, "groups needs group_width"),
        ({"stochastic_depth": 1}, "less than 1"),
        ({"block": "bottleneck", "group_width": 4, "widening": 2}, "widening does not go with group_width"),
        ({"widening": 0}, "greater than 0"),
        ({"widening": 100, "widths": [4, 65536]}, "channels wide"),
    ],
)
def test_impossible_variants_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Variant(**{**TINY, **change})


def test_the_papers_names_of_shortcuts_are_understood():
    for option, name in (("A", "identity"), ("B", "projection"), ("C", "projection-everywhere")):
        assert Variant(**{**TINY, "shortcut": option}) == Variant(**{**TINY, "shortcut": name})


def test_option_c_projects_beside_every_block():
    plan = plan_layers(Variant(**{**TINY, "blocks": [2, 2], "shortcut": "projection-everywhere"}), 8)
    assert [len(block.shortcut) for stage in plan.stages for block in stage] == [2, 2, 2, 2]
    option_b = plan_layers(Variant(**{**TINY, "blocks": [2, 2], "shortcut": "projection"}), 8)
    assert [len(block.shortcut) for stage in option_b.stages for block in stage] == [0, 0, 2, 0]


def test_the_stride_of_v1_is_on_the_first_convolution(catalogue):
    for name, strides in (("resnet50", [1, 2, 1]), ("resnet50-v1", [2, 1, 1])):
        block = plan_layers(catalogue.get(name), 224).stages[1][0]
        assert [layer.stride for layer in block.main if isinstance(layer, Conv)] == strides


def test_a_preactivated_network_ends_in_a_norm_and_begins_without_a_second_one():
    plan = plan_layers(Variant(**{**TINY, "blocks": [2, 1], "preactivation": True}), 8)
    kinds = [[type(layer).__name__ for layer in block.main] for stage in plan.stages for block in stage]
    assert kinds == [["Conv", "Norm", "Act", "Conv"], ["Norm", "Act", "Conv"] * 2, ["Conv", "Norm", "Act", "Conv"]]
    shared = [[type(layer).__name__ for layer in block.before] for stage in plan.stages for block in stage]
    assert shared == [[], [], ["Norm", "Act"]]
    assert [type(layer).__name__ for layer in plan.tail] == ["Norm", "Act"]


def test_blocks_are_skipped_more_often_the_deeper_they_are():
    plan = plan_layers(Variant(**{**TINY, "blocks": [2, 2], "stochastic_depth": 0.5}), 8)
    assert [block.survival for stage in plan.stages for block in stage] == [0.875, 0.75, 0.625, 0.5]


def test_widening_leaves_the_stem(catalogue):
    plan = plan_layers(catalogue.get("wrn-28-10"), 32)
    assert plan.stem[0].channels == 16
    assert [stage[-1].output[0] for stage in plan.stages] == [160, 320, 640]


def test_a_member_that_needs_its_shortcut_has_no_twin(catalogue):
    names = [variant.name for variant in catalogue.members()]
    assert "cifar-resnet110-stochastic" in names and "cifar-plain110-stochastic" not in names
    with pytest.raises(HarnessError, match="stochastic_depth goes with a shortcut"):
        catalogue.get("cifar-plain110-stochastic")


def test_images_that_are_too_small_are_refused(catalogue):
    require_input(catalogue.get("resnet18"), (32, 32))
    require_input(catalogue.get("cifar-resnet20"), (4, 4))
    with pytest.raises(HarnessError, match="31x64 are smaller than the total stride 32 of resnet18"):
        require_input(catalogue.get("resnet18"), (31, 64))


def test_a_depth_is_that_of_the_member_of_its_name(catalogue):
    family = catalogue.family("cifar-preresnet")
    for depth in (164, 1001, 110):
        fields, name = family.find_depth(depth)
        assert family.variant(fields, name) == catalogue.get(f"cifar-preresnet{depth}")
    assert family.find_depth(1004)[1] == "cifar-preresnet1004"
    plan = plan_layers(catalogue.get("cifar-preresnet164"), 32)
    assert plan.params == 1703258, "He et al. 2016 round it to 1.7 million"
