"""Measurements by layer: taken in the training steps themselves, without an effect on the results."""

import pytest
import torch
from torch import nn
from training_helpers import train, without_times

from harness.models import build
from harness.specs import Catalogue, Execution, ExternalNetwork, Resources, Variant
from harness.tracking.history import History
from harness.training.diagnostics import LayerProbe, build_layer_profile
from harness.training.trainer import Trainer

CONVOLUTIONS = 7
"""Of a residual network of depth 8: that of the stem, and two in each of three blocks."""
STEPS = 8
"""Of the quick experiment's trials: two epochs of four."""


@pytest.fixture
def start(trial):
    """A function that returns the trainer of a residual network of depth 8."""
    return lambda **recipe: Trainer(trial(index=0, **recipe), Execution(), Resources())


def profiles(results):
    return {result.epoch: result.layers for result in results if result.layers is not None}


def weights(trainer):
    return {key: value.clone() for key, value in trainer.network.state_dict().items()}


def test_layers_are_measured_before_the_first_update_and_at_the_last_step(start):
    results = train(start(epochs=3))
    layers = profiles(results)
    assert list(layers) == [0, 3]
    # A BatchNorm at its start gives a standard deviation of 1.
    assert layers[0].response == pytest.approx([1.0] * CONVOLUTIONS, rel=1e-2)
    assert layers[3].response != layers[0].response


@pytest.mark.parametrize("epoch", [0, 3])
def test_layer_profile_agrees_with_the_gradient_metrics(start, epoch):
    result = next(result for result in train(start(epochs=3)) if result.epoch == epoch)
    assert (result.layers.layers, len(result.layers.gradient), len(result.layers.response)) == (CONVOLUTIONS,) * 3
    assert result.layers.normalised
    measured = [result.layers.gradient[index] for index in (0, CONVOLUTIONS // 2, -1)]
    expected = [result.metrics[f"grad/{name}"] for name in ("first", "middle", "last")]
    assert measured == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("recipe", [{}, {"micro_batch": 32}, {"precision": "bf16"}, {"clip_grad_norm": 0.5}])
def test_layer_probe_changes_no_loss_weight_or_running_statistic(start, recipe):
    probed, unprobed = start(**recipe), start(**recipe)
    unprobed.probe = LayerProbe(nn.Module())
    results, expected = without_times(train(probed)), without_times(train(unprobed))
    assert set(profiles(results)) == {0, 2}
    assert [result._replace(layers=None) for result in results] == expected
    other = weights(unprobed)
    assert all(torch.equal(value, other[key]) for key, value in weights(probed).items())


def test_layer_probe_removes_its_hooks(start):
    trainer = start()
    train(trainer)
    assert not any(module._forward_hooks for module in trainer.network.modules())


@pytest.mark.parametrize("stop", range(1, STEPS - 1))
def test_layers_of_a_trial_that_is_interrupted_after_any_step_are_the_same(start, stop):
    uninterrupted = without_times(train(start()))
    first, calls = start(), iter(range(1, 1000))
    before = without_times(train(first, pause=lambda: "save" if next(calls) >= stop else "no"))
    second = start()
    second.resume(first.state())
    assert before + without_times(train(second)) == uninterrupted


def test_layers_of_a_trial_with_one_step_are_equal_at_its_start_and_end(start):
    layers = profiles(train(start(epochs=1, batch=256)))
    assert layers[0] == layers[1]


def test_a_trial_that_diverges_has_no_layers_at_its_end(start, trial):
    trainer = start(lr=1e30, epochs=5)
    layers = profiles(train(trainer))
    assert trainer.diverged
    assert list(layers) == [0]
    history = History(id="a" * 12, trial=trial(), layers=layers)
    assert History.model_validate_json(history.model_dump_json()).layers == layers


def measure(network, shape=(4, 3, 32, 32), **options):
    probe = LayerProbe(network, **options)
    torch.manual_seed(0)
    with probe.record():
        network.train()(torch.randn(shape)).sum().backward()
    return build_layer_profile(probe.measure())


def test_responses_are_taken_after_the_norm_and_before_activation_and_addition():
    """The activation of this block overwrites its input. The expected value is worked out by hand."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn, self.act = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True)
            nn.init.constant_(self.bn.weight, 3.0)
            nn.init.constant_(self.bn.bias, -7.0)

        def forward(self, x):
            return self.act(self.bn(self.conv(x)) + 100 * x)

    values = measure(Block())
    assert values.normalised
    assert values.response == pytest.approx([3.0], rel=1e-3)


def test_responses_of_a_pre_activated_network_are_those_of_its_layers():
    spec = Variant(**{**Catalogue.load().get("cifar-resnet20").model_dump(), "preactivation": True})
    assert not measure(build(spec, 0), (4, spec.in_channels, 16, 16)).normalised


def test_responses_of_a_network_without_norms_are_those_of_its_layers():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Conv2d(4, 4, 3, bias=False))
    with torch.no_grad():
        network[0].weight.fill_(0.0)
        network[2].weight.fill_(1.0)
    values = measure(network)
    assert (values.normalised, values.response) == (False, (0.0, 0.0))


def test_convolutions_of_shortcuts_are_not_measured():
    projected = Catalogue.load().get("resnet18")
    assert measure(build(projected, 0), (2, 3, 32, 32)).layers == 17


@pytest.mark.parametrize(("name", "layers", "normalised"), [("vgg11_bn", 8, True), ("densenet121", 120, False)])
def test_layers_of_a_network_of_another_library_are_measured(name, layers, normalised):
    values = measure(build(ExternalNetwork(kind="torchvision", factory=name).with_content_hash(), 0), (2, 3, 32, 32))
    assert (values.layers, values.normalised) == (layers, normalised)
    assert all(value is not None for value in values.gradient + values.response)


def test_a_network_without_convolutions_gives_its_linear_layers():
    assert measure(nn.Sequential(nn.Flatten(), nn.Linear(3072, 4), nn.Linear(4, 2))).layers == 2


def test_a_network_without_layers_has_no_layer_profile():
    probe = LayerProbe(nn.Module())
    with probe.record():
        pass
    assert build_layer_profile(probe.measure()) is None


def test_layer_probe_without_responses_measures_gradients_alone():
    values = measure(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), responses=False)
    assert (len(values.gradient), values.response, values.normalised) == (1, (), False)
