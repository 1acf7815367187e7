"""The network is torchvision's where torchvision has it, and what the plan says everywhere else."""

import pytest
import torch
import torchvision

from harness.models import build
from harness.models.modules import PadShortcut, group_count
from harness.models.network import initialise
from harness.specs import Variant
from harness.specs.shortcuts import SHORTCUTS


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101"])
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
    assert sum(p.numel() for p in network.parameters()) == variant.plan(32).params


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
