"""Values by layer: measured in the steps as they are taken, and without a trace in the results."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from harness.models import build
from harness.specs import Catalogue, Execution, ExternalNetwork, Resources, Variant
from harness.specs.layer_profile import MOST, LayerProfile, kept_layers
from harness.tracking.history import History
from harness.training import Trainer
from harness.training.diagnostics import LayerProbe, profile

CONVOLUTIONS = 7
"""Of a residual net of depth 8: the stem's, and two in each of three blocks."""


@pytest.fixture
def trial(quick_study):
    """A trial of the quick experiment, of depth 8 or with another variant, fields of its recipe changed."""

    def make(variant=None, **recipe):
        chosen = quick_study().trials[0]
        changed = {"recipe": chosen.recipe.model_copy(update=recipe)}
        if variant is not None:
            changed["variant"] = variant
        return chosen.model_copy(update=changed)

    return make


def run(training):
    """Its rows without times, and its values by layer."""
    rows, layers = [], {}
    for epoch, metrics in training.run():
        rows.append((epoch, {key: value for key, value in metrics.items() if not key.startswith("time/")}))
        if training.layers is not None:
            layers[epoch] = training.layers
    return rows, layers


def weights(training):
    return {key: value.clone() for key, value in training.network.state_dict().items()}


def test_measured_before_the_first_update_and_at_the_last_step(trial):
    rows, layers = run(Trainer(trial(epochs=3), Execution(), Resources()))
    assert list(layers) == [0, 3]
    for epoch, values in layers.items():
        assert (values.layers, len(values.gradient), len(values.response)) == (CONVOLUTIONS,) * 3
        assert values.normalised
        metrics = dict(rows)[epoch]
        for key, place in (("first", 0), ("middle", CONVOLUTIONS // 2), ("last", -1)):
            assert values.gradient[place] == pytest.approx(metrics[f"grad/{key}"], rel=1e-3)
    # A BatchNorm that is fresh gives a standard deviation of 1.
    assert layers[0].response == pytest.approx([1.0] * CONVOLUTIONS, rel=1e-2)
    assert layers[3].response != layers[0].response


@pytest.mark.parametrize("recipe", [{}, {"micro_batch": 32}, {"precision": "bf16"}, {"clip_grad_norm": 0.5}])
def test_results_are_those_of_a_training_that_nobody_listens_to(trial, recipe):
    """Losses, every parameter and every running statistic, bit for bit."""
    listened, alone = (Trainer(trial(**recipe), Execution(), Resources()) for _ in range(2))
    alone.probe.layers.clear()
    alone.probe.responses = False
    rows, layers = run(listened)
    assert set(layers) == {0, 2}
    assert run(alone) == (rows, {})
    other = weights(alone)
    assert all(torch.equal(value, other[key]) for key, value in weights(listened).items())


def test_it_leaves_no_hook_behind(trial):
    training = Trainer(trial(), Execution(), Resources())
    run(training)
    assert not any(module._forward_hooks for module in training.network.modules())


def test_interrupted_after_any_step_the_values_are_the_same(trial):
    chosen = trial()
    whole = run(Trainer(chosen, Execution(), Resources()))
    for stop in range(1, 2 * 4):
        first, asked = Trainer(chosen, Execution(), Resources()), iter(range(1, 1000))
        layers = {}
        for measured in first.run(lambda asked=asked, stop=stop: "save" if next(asked) >= stop else "no"):
            if measured is None:
                break
            if first.layers is not None:
                layers[measured[0]] = first.layers
        second = Trainer(chosen, Execution(), Resources())
        second.resume(first.state())
        rows, rest = run(second)
        assert layers | rest == whole[1], stop
        assert rows == whole[0][-len(rows) :], stop


def test_one_step_is_the_first_and_the_last(trial):
    _, layers = run(Trainer(trial(epochs=1, batch=256), Execution(), Resources()))
    assert layers[0] == layers[1]


def test_a_diverged_trial_has_none_at_its_end(trial):
    training = Trainer(trial(lr=1e30, epochs=5), Execution(), Resources())
    _, layers = run(training)
    assert training.diverged
    assert list(layers) == [0]
    assert History.model_validate_json(History(id="a" * 12, trial=trial(), layers=layers).model_dump_json()).layers


def measured(network, shape=(4, 3, 32, 32), **options):
    probe = LayerProbe(network, **options)
    torch.manual_seed(0)
    with probe.listening():
        network.train()(torch.randn(shape)).sum().backward()
    return profile(probe.measure())


def test_responses_are_after_the_norm_and_before_activation_and_addition():
    """Worked out by hand from a block whose activation overwrites in place."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn, self.act = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True)
            nn.init.constant_(self.bn.weight, 3.0)
            nn.init.constant_(self.bn.bias, -7.0)

        def forward(self, x):
            return self.act(self.bn(self.conv(x)) + 100 * x)

    values = measured(Block())
    assert values.normalised
    assert values.response == pytest.approx([3.0], rel=1e-3)


def test_where_not_every_layer_has_a_norm_of_its_own_the_layers_themselves_are_told_of():
    twenty = Catalogue.load().get("cifar-resnet20")
    before = Variant(**{**twenty.model_dump(), "preactivation": True})
    assert not measured(build(before, 0), (4, before.in_channels, 16, 16)).normalised
    bare = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Conv2d(4, 4, 3, bias=False))
    with torch.no_grad():
        bare[0].weight.fill_(0.0)
        bare[2].weight.fill_(1.0)
    values = measured(bare)
    assert (values.normalised, values.response) == (False, (0.0, 0.0))


def test_shortcuts_are_not_on_the_main_path():
    projected = Catalogue.load().get("resnet18")
    assert measured(build(projected, 0), (2, 3, 32, 32)).layers == 17


@pytest.mark.parametrize(("name", "layers", "normalised"), [("vgg11_bn", 8, True), ("densenet121", 120, False)])
def test_networks_of_another_library(name, layers, normalised):
    values = measured(build(ExternalNetwork(kind="torchvision", factory=name).located(), 0), (2, 3, 32, 32))
    assert (values.layers, values.normalised) == (layers, normalised)
    assert all(value is not None for value in values.gradient + values.response)


def test_a_network_without_convolutions_and_one_without_layers():
    assert measured(nn.Sequential(nn.Flatten(), nn.Linear(3072, 4), nn.Linear(4, 2))).layers == 2
    empty = nn.Module()
    with LayerProbe(empty).listening():
        pass
    assert profile(LayerProbe(empty).measure()) is None


def test_a_network_that_may_not_be_listened_to_gives_gradients_alone():
    values = measured(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), responses=False)
    assert (len(values.gradient), values.response, values.normalised) == (1, (), False)


def test_a_very_deep_net_keeps_so_many_values_and_both_ends():
    values = LayerProfile.of([float(i) for i in range(1, 1202)], [math.inf, *[2.0] * 1200], True)
    assert (values.layers, len(values.gradient), len(values.response)) == (1201, MOST, MOST)
    assert (values.gradient[0], values.gradient[-1], values.response[0]) == (1.0, 1201.0, None)
    kept = kept_layers(1201)
    assert (kept[0], kept[-1], len(set(kept))) == (1, 1201, MOST)
    assert {b - a for a, b in pairwise(kept)} == {4, 5}
    assert len(values.model_dump_json()) < 4000


@pytest.mark.parametrize(
    "wrong", [{"gradient": (1.0,)}, {"response": (1.0,)}, {"gradient": (-1.0, 1.0)}, {"layers": 0}]
)
def test_values_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match="LayerProfile"):
        LayerProfile(**{"layers": 2, "gradient": (1.0, 2.0), "response": (), **wrong})
