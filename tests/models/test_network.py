"""Networks of variants: equal to torchvision's ResNets, and with the layers of their plan."""

import pytest
import torch
import torchvision
from pydantic import ValidationError

from harness.models import build
from harness.models.modules import PadShortcut, SqueezeExciteBlock, group_count
from harness.models.network import initialise
from harness.specs import Variant
from harness.specs.network.layer_plan import plan_layers
from harness.specs.network.shortcuts import SHORTCUTS
from harness.specs.network.variant import NEEDS_SHORTCUT


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "resnext50_32x4d"]
)
def test_network_with_torchvision_weights_has_the_logits_of_torchvision(catalogue, name):
    theirs = getattr(torchvision.models, name)(weights=None).double().eval()
    ours = build(catalogue.get(name)).double().eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert (ours(images) - theirs(images)).abs().max().item() == 0


@pytest.mark.parametrize(
    "name", ["cifar-resnet1202", "cifar-plain1202", "resnet101", "plain101", "cifar-resnet29-bottleneck"]
)
def test_network_has_the_parameters_of_its_plan(catalogue, name):
    variant = catalogue.get(name)
    network = build(variant, device="meta")
    assert sum(p.numel() for p in network.parameters()) == plan_layers(variant, 32).params


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_network_with_each_shortcut_type_has_finite_gradients(shortcut, block, norm):
    variant = Variant(
        stem="conv3x3", block=block, blocks=[1, 2], widths=[4, 8], shortcut=shortcut, norm=norm, classes=5
    )
    network = build(variant, seed=0)
    logits = network(torch.randn(3, 3, 9, 7))
    assert logits.shape == (3, 5)
    logits.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


FEATURES = {
    "preactivation": {"preactivation": True},
    "widening": {"widening": 1.5},
    "squeeze-and-excitation": {"se_reduction": 2},
    "groups": {"block": "bottleneck", "groups": 2, "group_width": 3},
    "stride on the 1x1": {"block": "bottleneck", "stride_on": "1x1"},
    "zero-initialised": {"zero_init_last": True},
    "stochastic depth": {"stochastic_depth": 0.5},
    "rezero": {"residual_scale": 0.0},
    "several": {
        "block": "bottleneck", "preactivation": True, "se_reduction": 2, "groups": 2,
        "group_width": 3, "stochastic_depth": 0.5, "residual_scale": 0.1,
    },
}  # fmt: skip


def make_variant(feature, shortcut):
    fields = {"stem": "conv3x3", "block": "basic", "blocks": [2, 2], "widths": [8, 16], "classes": 5}
    return Variant(**{**fields, **FEATURES[feature], "shortcut": shortcut})


NEED_SHORTCUT = [name for name, fields in FEATURES.items() if fields.keys() & NEEDS_SHORTCUT.keys()]
POSSIBLE = [(f, s) for f in FEATURES for s in SHORTCUTS if s != "none" or f not in NEED_SHORTCUT]


@pytest.mark.parametrize("feature", NEED_SHORTCUT)
def test_plain_network_refuses_a_feature_that_needs_a_shortcut(feature):
    with pytest.raises(ValidationError, match="needs a shortcut"):
        make_variant(feature, "none")


@pytest.mark.parametrize(("feature", "shortcut"), POSSIBLE)
def test_network_with_each_feature_has_finite_gradients(feature, shortcut):
    variant = make_variant(feature, shortcut)
    network = build(variant, seed=0).train()
    assert sum(p.numel() for p in network.parameters()) == plan_layers(variant, 8).params
    logits = network(torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(1)))
    assert logits.shape == (16, 5)
    logits.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("fields", [{"zero_init_last": True}, {"residual_scale": 0.0}])
def test_block_with_a_branch_of_zeros_is_the_identity(fields):
    variant = Variant(stem="conv3x3", block="basic", blocks=[2], widths=[4], shortcut="identity", **fields)
    block = build(variant, seed=0).layer1[1]
    features = torch.rand(2, 4, 8, 8)
    assert torch.equal(block(features), features)


def test_path_factors_are_zero_or_the_inverse_of_the_survival_probability():
    variant = make_variant("stochastic depth", "identity")
    network = build(variant, seed=0).train()
    torch.manual_seed(3)
    factors = network.draw_path_factors(4000, torch.zeros(1))
    survival = torch.tensor([0.875, 0.75, 0.625, 0.5])
    assert all(set(row.tolist()) == {0.0, float(1 / p)} for row, p in zip(factors, survival, strict=True))
    assert torch.allclose(factors.mean(1), torch.ones(4), atol=0.05)


def test_block_with_a_path_factor_of_zero_returns_its_input():
    block = build(make_variant("stochastic depth", "identity"), seed=0).layer1[1].eval()
    features = torch.rand(2, 8, 8, 8)
    out = block(features, torch.tensor([0.0, 1.0]))
    assert torch.equal(out[0], features[0]) and torch.equal(out[1], block(features)[1])


def test_stochastic_depth_skips_no_block_in_evaluation():
    network = build(make_variant("stochastic depth", "identity"), seed=0).eval()
    images = torch.rand(8, 3, 8, 8)
    assert torch.equal(network(images), network(images))


def test_stochastic_depth_draws_from_the_default_generator():
    network = build(make_variant("stochastic depth", "identity"), seed=0).train()
    images = torch.rand(8, 3, 8, 8)
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(network(images))
    assert torch.equal(outputs[0], outputs[1]) and not torch.equal(outputs[0], outputs[2])


def test_squeeze_excite_with_zero_parameters_halves_its_input():
    features = torch.rand(2, 8, 4, 4)
    block = SqueezeExciteBlock(8, 2)
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(block(features), features / 2)


def test_network_of_depth_1202_takes_a_training_step():
    variant = Variant(stem="conv3x3", block="basic", blocks=[200] * 3, widths=[4, 8, 16], shortcut="identity")
    assert variant.depth == 1202
    network = build(variant, seed=0)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    loss = torch.nn.functional.cross_entropy(network(torch.rand(2, 3, 8, 8)), torch.tensor([0, 1]))
    loss.backward()
    optimiser.step()
    assert torch.isfinite(loss)


def test_pad_shortcut_subsamples_and_appends_zeros():
    images = torch.arange(2 * 2 * 4 * 4.0).view(2, 2, 4, 4)
    out = PadShortcut(channels_added=3, stride=2)(images)
    assert out.shape == (2, 5, 2, 2)
    assert torch.equal(out[:, :2], images[:, :, ::2, ::2])
    assert not out[:, 2:].any()


@pytest.mark.parametrize(("name", "is_zero"), [("cifar-plain8", True), ("cifar-resnet8", False)])
def test_block_without_its_branch_passes_its_input_only_in_a_residual_network(catalogue, name, is_zero):
    block = build(catalogue.get(name), seed=0).eval().layer1[0]
    torch.nn.init.zeros_(block.bn2.weight)
    output = block(torch.rand(2, 16, 8, 8))
    assert (output.abs().sum().item() == 0) is is_zero


def test_initialise_gives_twins_the_same_values_in_the_layers_that_they_share(catalogue):
    plain, residual = build(catalogue.get("plain18"), seed=7), build(catalogue.get("resnet18"), seed=7)
    parameters = dict(residual.named_parameters())
    assert all(torch.equal(value, parameters[name]) for name, value in plain.named_parameters())
    other = build(catalogue.get("plain18"), seed=8)
    assert not torch.equal(plain.conv1.weight, other.conv1.weight)


def test_initialise_has_the_standard_deviation_of_he_with_fan_out(catalogue):
    network = build(catalogue.get("cifar-resnet56"), seed=3)
    weight = network.layer3[5].conv1.weight
    expected = (2 / (64 * 9)) ** 0.5
    assert weight.std().item() == pytest.approx(expected, rel=0.02)


def test_initialise_twice_with_one_seed_gives_the_same_values(catalogue):
    network = build(catalogue.get("cifar-resnet8"), seed=3)
    before = network.layer3[0].conv1.weight.clone()
    initialise(network, 3)
    assert torch.equal(before, network.layer3[0].conv1.weight)


def test_features_have_the_shape_of_each_stage_and_give_the_logits(catalogue):
    network = build(catalogue.get("cifar-resnet20"), seed=0).eval()
    images = torch.rand(2, 3, 32, 32)
    shapes = [tuple(network.features(images, stage).shape[1:]) for stage in range(4)]
    assert shapes == [(16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8)]
    assert torch.equal(network.fc(network.features(images, 3).mean((2, 3))), network(images))


@pytest.mark.parametrize(("channels", "groups"), [(4, 1), (8, 2), (12, 3), (24, 6), (64, 16), (256, 32), (7, 1)])
def test_group_count_is_the_largest_divisor_with_four_channels_a_group(channels, groups):
    assert group_count(channels) == groups
