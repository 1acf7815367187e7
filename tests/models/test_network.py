"""The network is torchvision's where torchvision has it, and what the plan says everywhere else."""

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
def test_torchvision_s_weights_give_torchvision_s_logits(catalogue, name):
    theirs = getattr(torchvision.models, name)(weights=None).double().eval()
    ours = build(catalogue.get(name)).double().eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert (ours(images) - theirs(images)).abs().max().item() == 0


@pytest.mark.parametrize(
    "name", ["cifar-resnet1202", "cifar-plain1202", "resnet101", "plain101", "cifar-resnet29-bottleneck"]
)
def test_the_network_has_the_plan_s_parameters(catalogue, name):
    """On the meta device: no memory, so depth 1202 too."""
    variant = catalogue.get(name)
    network = build(variant, device="meta")
    assert sum(p.numel() for p in network.parameters()) == plan_layers(variant, 32).params


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_every_shortcut_trains(shortcut, block, norm):
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
    "all together": {
        "block": "bottleneck", "preactivation": True, "se_reduction": 2, "groups": 2,
        "group_width": 3, "stochastic_depth": 0.5, "residual_scale": 0.1,
    },
}  # fmt: skip


def _featured(feature, shortcut):
    fields = {"stem": "conv3x3", "block": "basic", "blocks": [2, 2], "widths": [8, 16], "classes": 5}
    return Variant(**{**fields, **FEATURES[feature], "shortcut": shortcut})


@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_trains(feature, shortcut):
    """Also without a shortcut, unless that is refused; a step moves every parameter that has a gradient."""
    if shortcut == "none" and FEATURES[feature].keys() & NEEDS_SHORTCUT.keys():
        with pytest.raises(ValidationError, match="goes with a shortcut"):
            _featured(feature, shortcut)
        return
    variant = _featured(feature, shortcut)
    network = build(variant, seed=0).train()
    assert sum(p.numel() for p in network.parameters()) == plan_layers(variant, 8).params
    logits = network(torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(1)))
    assert logits.shape == (16, 5)
    logits.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("fields", [{"zero_init_last": True}, {"residual_scale": 0.0}])
def test_a_block_that_starts_at_zero_is_the_identity(fields):
    variant = Variant(stem="conv3x3", block="basic", blocks=[2], widths=[4], shortcut="identity", **fields)
    block = build(variant, seed=0).layer1[1]
    features = torch.rand(2, 4, 8, 8)
    assert torch.equal(block(features), features)


def test_an_image_skips_a_block_whole_or_takes_it_scaled():
    variant = _featured("stochastic depth", "identity")
    network = build(variant, seed=0).train()
    torch.manual_seed(3)
    kept = network._kept(4000, torch.zeros(1))
    survival = torch.tensor([0.875, 0.75, 0.625, 0.5])
    assert all(set(row.tolist()) == {0.0, float(1 / p)} for row, p in zip(kept, survival, strict=True))
    assert torch.allclose(kept.mean(1), torch.ones(4), atol=0.05)
    block = network.layer1[1].eval()
    features = torch.rand(2, 8, 8, 8)
    out = block(features, torch.tensor([0.0, 1.0]))
    assert torch.equal(out[0], features[0]) and torch.equal(out[1], block(features)[1])


def test_stochastic_depth_is_off_in_evaluation_and_drawn_from_its_stream():
    network = build(_featured("stochastic depth", "identity"), seed=0)
    images = torch.rand(8, 3, 8, 8)
    assert torch.equal(network.eval()(images), network(images))
    network.train()
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(network(images))
    assert torch.equal(outputs[0], outputs[1]) and not torch.equal(outputs[0], outputs[2])


def test_squeeze_and_excitation_weighs_channels():
    features = torch.rand(2, 8, 4, 4)
    block = SqueezeExciteBlock(8, 2)
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(block(features), features / 2)


def test_a_thousand_layers_take_a_training_step():
    variant = Variant(stem="conv3x3", block="basic", blocks=[200] * 3, widths=[4, 8, 16], shortcut="identity")
    assert variant.depth == 1202
    network = build(variant, seed=0)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    loss = torch.nn.functional.cross_entropy(network(torch.rand(2, 3, 8, 8)), torch.tensor([0, 1]))
    loss.backward()
    optimiser.step()
    assert torch.isfinite(loss)


def test_option_a_subsamples_and_pads_with_zeros():
    images = torch.arange(2 * 2 * 4 * 4.0).view(2, 2, 4, 4)
    out = PadShortcut(channels_added=3, stride=2)(images)
    assert out.shape == (2, 5, 2, 2)
    assert torch.equal(out[:, :2], images[:, :, ::2, ::2])
    assert not out[:, 2:].any()


def test_a_plain_block_ignores_its_input_once_its_weights_are_zero(catalogue):
    """The twin really has no path around its convolutions; the residual one has."""
    images = torch.rand(2, 3, 8, 8)
    for name, silent in (("cifar-plain8", True), ("cifar-resnet8", False)):
        block = build(catalogue.get(name), seed=0).eval().layer1[0]
        torch.nn.init.zeros_(block.bn2.weight)
        features = torch.rand(2, 16, *images.shape[2:])
        assert (block(features).abs().sum().item() == 0) is silent


def test_twins_start_from_the_same_values(catalogue):
    """Each parameter has a stream of its own: the projections of option B shift nothing else."""
    plain, residual = build(catalogue.get("plain18"), seed=7), build(catalogue.get("resnet18"), seed=7)
    theirs = dict(residual.named_parameters())
    assert all(torch.equal(value, theirs[name]) for name, value in plain.named_parameters())
    other = build(catalogue.get("plain18"), seed=8)
    assert not torch.equal(plain.conv1.weight, other.conv1.weight)


def test_initialisation_is_he_s_with_fan_out(catalogue):
    network = build(catalogue.get("cifar-resnet56"), seed=3)
    weight = network.layer3[5].conv1.weight
    expected = (2 / (64 * 9)) ** 0.5
    assert weight.std().item() == pytest.approx(expected, rel=0.02)
    before = weight.clone()
    initialise(network, 3)
    assert torch.equal(before, weight)


@pytest.mark.parametrize(("channels", "groups"), [(4, 1), (8, 2), (12, 3), (24, 6), (64, 16), (256, 32), (7, 1)])
def test_groups_of_a_group_norm(channels, groups):
    assert group_count(channels) == groups
