"""The variant and its layer plan: exact counts, shapes, and what is refused."""

import csv

import pytest
from pydantic import ValidationError

from harness.specs import Variant

TINY = {"stem": "conv3x3", "block": "basic", "blocks": [1, 1], "widths": [4, 8], "shortcut": "identity"}

# Exact costs: published in He et al. 2015 and torchvision, counted with fvcore; MACs of conv + linear.
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
"""
ROWS = list(csv.DictReader(GOLDEN.splitlines()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['variant']}-{row['shortcut']}")
def test_plan_has_the_published_counts(catalogue, row):
    variant = catalogue.get(row["variant"])
    if row["shortcut"] != variant.shortcut:
        variant = Variant(**{**variant.model_dump(), "shortcut": row["shortcut"]})
    plan = variant.plan(int(row["side"]))
    assert plan.params == int(row["params"])
    if row["macs"]:
        assert plan.macs == int(row["macs"])


def test_twins_differ_in_the_shortcut_alone(catalogue):
    residual, plain = catalogue.get("cifar-resnet20"), catalogue.get("cifar-plain20")
    assert plain.model_dump(exclude={"name", "shortcut"}) == residual.model_dump(exclude={"name", "shortcut"})
    assert plain.plain and not residual.plain


def test_option_b_adds_exactly_the_projections(catalogue):
    residual, plain = catalogue.get("resnet18").plan(224), catalogue.get("plain18").plan(224)
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
    plan = Variant(**TINY).plan((9, 7))
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
    ],
)
def test_impossible_variants_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Variant(**{**TINY, **change})
