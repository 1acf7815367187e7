"""Networks that cannot be trained are refused, with the cause; auxiliary classifiers are trained as declared."""

import re
from collections import namedtuple

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from harness.costs.complexity import count_network
from harness.costs.counters import count_with_torch
from harness.errors import HarnessError
from harness.models import build
from harness.models.auxiliary import compute_losses
from harness.models.output_check import check_output, check_training
from harness.specs import ExternalNetwork
from harness.specs.experiment.variant_selection import VariantSelection

SPEC = ExternalNetwork(kind="python", factory="nets:make", name="mine", in_channels=1, classes=10)
Outputs = namedtuple("Outputs", "logits aux")


class Network(nn.Module):
    """A network that answers in training mode with ``change(logits)``."""

    def __init__(self, change):
        super().__init__()
        self.change, self.linear = change, nn.Linear(64, 10)

    def forward(self, x):
        logits = self.linear(x.flatten(1))
        return self.change(logits) if self.training else logits


def fail(logits):
    raise RuntimeError("only for [bold]evaluation\nmore")


class InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise RuntimeError("no backward pass")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: (y, y), "returns tuple for two images in training mode"),
        (lambda y: [y], "returns list for two images in training mode"),
        (lambda y: {"logits": y}, "returns dict for two images in training mode"),
        (lambda y: Outputs(y, y), "returns Outputs for two images in training mode"),
        (lambda y: None, "returns NoneType for two images in training mode"),
        (lambda y: y[:, :9], r"returns \(2, 9\) for two images in training mode, not logits of shape \(2, 10\)"),
        (lambda y: y.mean(0), r"returns \(10,\) for two images in training mode"),
        (lambda y: y[..., None, None], r"returns \(2, 10, 1, 1\) for two images in training mode"),
        (lambda y: y / 0, "values in training mode that are not finite"),
        (lambda y: y + float("nan"), "values in training mode that are not finite"),
        (lambda y: y.long(), "values of type int64 in training mode"),
        (lambda y: y.to(torch.complex64), "values of type complex64 in training mode"),
        (lambda y: y.detach(), "do not depend on its trainable parameters"),
        (fail, r"cannot be trained on a batch of 2 images of 1x8x8: RuntimeError: only for .bold.evaluation$"),
        (InPlace.apply, "cannot be trained on a batch of 2 images of 1x8x8: RuntimeError: no backward pass"),
    ],
)
def test_check_training_refuses_what_a_loss_cannot_use(change, words):
    network = Network(change)
    check_output(SPEC, network, (8, 8))
    with pytest.raises(HarnessError) as caught:
        check_training(SPEC, network, (8, 8))
    assert re.search(words, caught.value.what), caught.value.what
    assert caught.value.what.startswith("mine ") and caught.value.where == "variants" and caught.value.remedy
    assert not network.training


@pytest.mark.parametrize("change", [lambda y: y, lambda y: y.double(), lambda y: y.bfloat16(), lambda y: y * 0])
def test_check_training_accepts_logits_and_leaves_the_generator_as_it_was(change):
    network, state = Network(change), torch.random.get_rng_state()
    check_training(SPEC, network, (8, 8))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_check_training_refuses_a_network_without_parameters():
    with pytest.raises(HarnessError, match="has no parameters to train"):
        check_training(SPEC, nn.Sequential(nn.AdaptiveAvgPool2d((1, 10)), nn.Flatten()), (8, 8))


def test_check_training_uses_two_images_as_batch_norm_needs_them():
    check_training(SPEC, nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10)), (8, 8))
    network = nn.Sequential(nn.Flatten(0), nn.Linear(128, 20), nn.Unflatten(0, (1, 20)), nn.BatchNorm1d(20),
                            nn.Flatten(0), nn.Unflatten(0, (2, 10)))  # fmt: skip
    check_output(SPEC, network, (8, 8))
    with pytest.raises(HarnessError, match="on a batch of 2 images of 1x8x8: ValueError: Expected more than 1 value"):
        check_training(SPEC, network, (8, 8))


def auxiliary(name, weight, **fields):
    return ExternalNetwork(
        kind="torchvision", factory=name, args={"aux_logits": True}, auxiliary_weight=weight, classes=7, **fields
    ).with_content_hash()


@pytest.mark.parametrize(
    ("name", "size", "heads"), [("googlenet", 64, 2), pytest.param("inception_v3", 299, 1, marks=pytest.mark.slow)]
)
def test_auxiliary_classifiers_are_removed_or_counted_and_trained(name, size, heads, tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path))
    plain = ExternalNetwork(kind="torchvision", factory=name, classes=7).with_content_hash()
    removed, trained = auxiliary(name, 0.0), auxiliary(name, 0.3)
    assert build(removed).state_dict().keys() == build(plain).state_dict().keys()
    network, costs = build(trained, seed=1), count_network(trained, (size, size))
    assert costs.params == sum(parameter.numel() for parameter in network.parameters())
    with torch.no_grad():
        assert costs.macs > count_with_torch(network.eval(), torch.zeros(1, 3, size, size))
    labels = torch.tensor([1, 2])
    output = network.train()(torch.randn(2, 3, size, size))
    losses = compute_losses(output, labels, 0.0, 0.3)
    own = [nn.functional.cross_entropy(part, labels) for part in output]
    assert len(own) == heads + 1
    assert losses.loss == own[0] and losses.total.item() == pytest.approx(own[0].item() + 0.3 * sum(own[1:]).item())
    losses.total.backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_auxiliary_weight_at_its_default_leaves_the_identity_unchanged():
    assert auxiliary("googlenet", 0.0).identity() == {
        "kind": "torchvision",
        "factory": "googlenet",
        "args": {"aux_logits": True},
        "version": auxiliary("googlenet", 0.0).version,
        "classes": 7,
    }
    assert auxiliary("googlenet", 0.3).identity()["auxiliary_weight"] == 0.3


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "torchvision", "factory": "googlenet"},
        {"kind": "torchvision", "factory": "googlenet", "args": {"aux_logits": False}},
        {"kind": "torchvision", "factory": "resnet18", "args": {"aux_logits": True}},
        {"kind": "timm", "factory": "inception_v3", "args": {"aux_logits": True}},
    ],
)
def test_auxiliary_weight_needs_auxiliary_classifiers(fields):
    with pytest.raises(ValidationError, match="auxiliary_weight needs auxiliary classifiers"):
        ExternalNetwork(**fields, auxiliary_weight=0.3)


def test_auxiliary_weight_of_a_selection_needs_kind():
    with pytest.raises(ValidationError, match="need kind"):
        VariantSelection(name="googlenet", auxiliary_weight=0.3)


@pytest.mark.parametrize("name", ["googlenet"])
def test_grey_images_reach_auxiliary_classifiers_too(name):
    spec = auxiliary(name, 0.5, in_channels=1)
    check_training(spec, build(spec, seed=0), (64, 64))
