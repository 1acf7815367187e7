"""The layer plan: exact counts, shapes, and which layers run where."""

import csv

import pytest

from harness.specs import Variant
from harness.specs.network.layer_plan import ImageTooSmall, plan_layers, require_input
from harness.specs.network.layers import Conv

TINY = {"stem": "conv3x3", "block": "basic", "blocks": [1, 1], "widths": [4, 8], "shortcut": "identity"}

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
"""Published by He et al. 2015, torchvision, timm (se-resnet50) and Zagoruyko's code (wrn-28-10), or counted by fvcore.

The MACs are those of convolutions and linear layers.
"""
ROWS = list(csv.DictReader(GOLDEN.splitlines()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['variant']}-{row['shortcut']}")
def test_layer_plan_has_the_published_counts(catalogue, row):
    variant = catalogue.get(row["variant"])
    if row["shortcut"] != variant.shortcut:
        variant = Variant(**{**variant.model_dump(), "shortcut": row["shortcut"]})
    plan = plan_layers(variant, int(row["side"]))
    assert plan.params == int(row["params"])
    if row["macs"]:
        assert plan.macs == int(row["macs"])


def test_plan_of_option_b_adds_only_the_projections(catalogue):
    residual, plain = plan_layers(catalogue.get("resnet18"), 224), plan_layers(catalogue.get("plain18"), 224)
    projections = [layer for stage in residual.stages for block in stage for layer in block.shortcut or ()]
    assert residual.params - plain.params == sum(layer.params for layer in projections)
    assert residual.macs - plain.macs == sum(layer.macs for layer in projections)


def test_plan_of_odd_image_sizes_rounds_like_convolutions():
    plan = plan_layers(Variant(**TINY), (9, 7))
    assert plan.stages[1][0].output == (8, 5, 4)


@pytest.mark.parametrize(
    ("shortcut", "layers"), [("projection", [0, 0, 2, 0]), ("projection-everywhere", [2, 2, 2, 2])]
)
def test_plan_has_projections_where_the_shortcut_type_needs_them(shortcut, layers):
    plan = plan_layers(Variant(**{**TINY, "blocks": [2, 2], "shortcut": shortcut}), 8)
    assert [len(block.shortcut) for stage in plan.stages for block in stage] == layers


@pytest.mark.parametrize(("name", "strides"), [("resnet50", [1, 2, 1]), ("resnet50-v1", [2, 1, 1])])
def test_plan_of_a_bottleneck_has_its_stride_on_the_declared_convolution(catalogue, name, strides):
    block = plan_layers(catalogue.get(name), 224).stages[1][0]
    assert [layer.stride for layer in block.main if isinstance(layer, Conv)] == strides


def test_plan_of_a_preactivated_network_ends_with_a_norm_and_has_one_norm_before_its_first_block():
    plan = plan_layers(Variant(**{**TINY, "blocks": [2, 1], "preactivation": True}), 8)
    main = [[type(layer).__name__ for layer in block.main] for stage in plan.stages for block in stage]
    assert main == [["Conv", "Norm", "Act", "Conv"], ["Norm", "Act", "Conv"] * 2, ["Conv", "Norm", "Act", "Conv"]]
    shared = [[type(layer).__name__ for layer in block.before] for stage in plan.stages for block in stage]
    assert shared == [[], [], ["Norm", "Act"]]
    assert [type(layer).__name__ for layer in plan.tail] == ["Norm", "Act"]


def test_plan_with_stochastic_depth_skips_later_blocks_more_often():
    plan = plan_layers(Variant(**{**TINY, "blocks": [2, 2], "stochastic_depth": 0.5}), 8)
    assert [block.survival for stage in plan.stages for block in stage] == [0.875, 0.75, 0.625, 0.5]


def test_plan_of_a_widened_network_keeps_the_width_of_the_stem(catalogue):
    plan = plan_layers(catalogue.get("wrn-28-10"), 32)
    assert plan.stem[0].channels == 16
    assert [stage[-1].output[0] for stage in plan.stages] == [160, 320, 640]


def test_plan_of_preresnet164_has_the_1_7_million_parameters_of_he_et_al_2016(catalogue):
    assert plan_layers(catalogue.get("cifar-preresnet164"), 32).params == 1703258


def test_training_bytes_grow_with_images_and_with_copies_of_the_weights(catalogue):
    plan = plan_layers(catalogue.get("resnet18"), 224)
    assert plan.params == 11689512
    assert plan.training_bytes(2) - plan.training_bytes(1) == 12 * plan.activations
    assert plan.training_bytes(1, copies=4) - plan.training_bytes(1) == 4 * plan.params


@pytest.mark.parametrize(("name", "size"), [("resnet18", (32, 32)), ("cifar-resnet20", (4, 4))])
def test_require_input_accepts_images_as_large_as_the_total_stride(catalogue, name, size):
    require_input(catalogue.get(name), size)


def test_require_input_refuses_images_smaller_than_the_total_stride(catalogue):
    with pytest.raises(ImageTooSmall, match=r"31x64 pixels are too small for resnet18: .* at least 32 pixels"):
        require_input(catalogue.get("resnet18"), (31, 64))
