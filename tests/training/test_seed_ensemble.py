"""Several seeds trained as one network: each gives the results that it gives when it is trained by itself."""

import math

import pytest
import torch
from training_helpers import train, without_times

from harness.data.loader import BatchLoader
from harness.models import build
from harness.models.modules import build_module
from harness.specs import Execution, Recipe, Resources, Trial, Variant
from harness.specs.network.layer_plan import plan_layers
from harness.training import trainer as trainer_module
from harness.training.seed_ensemble import SeedEnsemble
from harness.training.trainer import Trainer

SEEDS = 3
FORMS = {
    "option A": {},
    "plain": {"shortcut": "none"},
    "projections": {"shortcut": "projection"},
    "pre-activated": {"preactivation": True, "shortcut": "projection"},
    "group norm": {"norm": "group", "widths": [4, 8, 16]},
    "squeeze-and-excitation": {"se_reduction": 2},
    "residual scale": {"residual_scale": 0.5},
    "bottlenecks in groups": {"block": "bottleneck", "groups": 2, "group_width": 2, "shortcut": "projection"},
    "imagenet stem, silu": {"stem": "imagenet", "activation": "silu"},
}
RECIPES = {
    "sgd": {},
    "clipped, smoothed, augmented": {
        "clip_grad_norm": 0.5,
        "label_smoothing": 0.1,
        "augment": "crop-flip",
        "crop_padding": 1,
    },
    "nesterov, micro-batches": {"nesterov": True, "micro_batch": 32},
    "adamw": {"optimiser": "adamw", "lr": 0.01},
    "no momentum": {"momentum": 0.0, "schedule": "one-cycle"},
}


@pytest.fixture
def trials(quick_study):
    """A function that returns trials of one variant of depth 8 at several seeds, with some fields changed."""
    first = quick_study().trials[4]

    def make(variant=None, seeds=SEEDS, **recipe):
        fields = {
            "variant": Variant(**{**first.variant.model_dump(), **(variant or {})}),
            "data": first.data,
            "recipe": Recipe(**{**first.recipe.model_dump(), "epochs": 3, **recipe}),
        }
        return [Trial(seed=100 + number, **fields) for number in range(seeds)]

    return make


@pytest.fixture
def float64(monkeypatch):
    """Networks, images and measurements in double precision, where another order of sums makes hardly a difference."""
    original = BatchLoader.normalise
    monkeypatch.setattr(trainer_module, "build", lambda *arguments: build(*arguments).double())
    monkeypatch.setattr(BatchLoader, "normalise", lambda self, pixels: original(self, pixels).double())
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


def start(trials):
    return [Trainer(trial, Execution(), Resources()) for trial in trials]


def train_together(trainers, live=None, pause=None, epochs=None):
    """Return the results of each live slot without times, up to the first pause, or up to so many epochs."""
    ensemble = SeedEnsemble(trainers, range(len(trainers)) if live is None else live)
    by_slot = {slot: [] for slot in ensemble.live}
    for number, results in enumerate(ensemble.run() if pause is None else ensemble.run(pause), start=1):
        if results is None:
            break
        for slot, result in results:
            by_slot[slot].append(result)
        if number == epochs:
            break
    return {slot: without_times(results) for slot, results in by_slot.items()}


def train_alone(trial):
    (trainer,) = start([trial])
    return without_times(train(trainer)), trainer


def assert_close(results, expected):
    assert [result.epoch for result in results] == [result.epoch for result in expected]
    for result, other in zip(results, expected, strict=True):
        assert result.metrics == pytest.approx(other.metrics, rel=1e-12, abs=1e-12)
        assert (result.layers is None) is (other.layers is None)
        if result.layers is not None:
            assert result.layers.gradient == pytest.approx(other.layers.gradient, rel=1e-12)
            assert result.layers.response == pytest.approx(other.layers.response, rel=1e-12)
            assert result.layers.normalised == other.layers.normalised


def assert_same_state(one, other):
    """Compare parameters, running statistics, optimiser state and position: what a checkpoint holds."""
    state, expected = one.state(), other.state()
    assert state.keys() == expected.keys()
    assert (state["epochs_done"], state["under_way"]) == (expected["epochs_done"], expected["under_way"])
    assert state["optimiser"]["param_groups"] == expected["optimiser"]["param_groups"]
    tensors, expected_tensors = (
        {"network": saved["network"], **{f"state {k}": v for k, v in saved["optimiser"]["state"].items()}}
        for saved in (state, expected)
    )
    torch.testing.assert_close(tensors, expected_tensors, rtol=1e-12, atol=1e-12)


def assert_equals_training_alone(trials):
    """Assert that each trial gives the same together as alone; return the results by slot."""
    trainers = start(trials)
    together = train_together(trainers)
    for slot, trial in enumerate(trials):
        expected, alone = train_alone(trial)
        assert_close(together[slot], expected)
        assert_same_state(trainers[slot], alone)
    return together


@pytest.mark.parametrize("form", FORMS)
def test_seed_ensemble_of_every_form_of_network_equals_training_alone(trials, form, float64):
    assert_equals_training_alone(trials(FORMS[form], epochs=2))


def test_seed_ensemble_whose_seeds_have_their_own_splits_equals_training_alone(quick_study, float64):
    """Each seed has other training images, another normalisation of them, and augmentation apart from its order."""
    changes = {"data": {"name": "digits", "train_images": 256}, "seeds": [1, 2, 3], "contrasts": None}
    recipe = {"epochs": 2, "batch": 64, "lr": 0.05, "augment": "crop", "crop_padding": 1}
    varied = quick_study(**changes, recipe=recipe, replicate=["order", "split"]).trials[:3]
    together = assert_equals_training_alone(varied)
    assert len({str(results) for results in together.values()}) == 3


@pytest.mark.parametrize("recipe", RECIPES)
def test_seed_ensemble_of_every_recipe_equals_training_alone(trials, recipe, float64):
    together = assert_equals_training_alone(trials(**RECIPES[recipe]))
    assert len({str(results) for results in together.values()}) == SEEDS


def test_seed_ensemble_in_float32_differs_from_training_alone_by_rounding_only(trials):
    chosen = trials(epochs=1)
    together = train_together(start(chosen))
    for slot, trial in enumerate(chosen):
        (first, last), _ = train_alone(trial)
        assert together[slot][0].metrics["grad/first"] == pytest.approx(first.metrics["grad/first"], rel=1e-4)
        assert together[slot][1].metrics["train/loss"] == pytest.approx(last.metrics["train/loss"], rel=1e-2)


def test_seed_ensemble_gives_bitwise_equal_results_twice(trials):
    chosen = trials()
    assert train_together(start(chosen)) == train_together(start(chosen))


@pytest.mark.parametrize("epochs", [1, 2])
def test_seed_ensemble_resumed_after_an_epoch_is_bitwise_equal_to_an_uninterrupted_one(trials, epochs):
    chosen = trials(**RECIPES["clipped, smoothed, augmented"])
    uninterrupted = train_together(start(chosen))
    first, second = start(chosen), start(chosen)
    before = train_together(first, epochs=epochs)
    for trainer, saved in zip(second, first, strict=True):
        trainer.resume(saved.state())
    after = train_together(second)
    assert {slot: before[slot] + after[slot] for slot in before} == uninterrupted


@pytest.mark.parametrize("steps", [1, 5, 8])
def test_seed_ensemble_resumed_between_two_steps_is_bitwise_equal_to_an_uninterrupted_one(trials, steps):
    """An epoch has four steps; its last one has no pause after it."""
    chosen = trials()
    uninterrupted = train_together(start(chosen))
    first, second = start(chosen), start(chosen)
    calls = iter(range(steps - 1))
    before = train_together(first, pause=lambda: "no" if next(calls, None) is not None else "stop")
    assert first[0].position[1] > 0
    for trainer, saved in zip(second, first, strict=True):
        trainer.resume(saved.state())
    after = train_together(second)
    assert {slot: before[slot] + after[slot] for slot in before} == uninterrupted


def test_a_slot_that_is_not_live_does_not_change_the_results_of_the_others(trials):
    """Slot 1 is trained on from its initial weights, the others from the first epoch's."""
    chosen = trials(epochs=2)
    uninterrupted = train_together(start(chosen))
    first, second = start(chosen), start(chosen)
    before = train_together(first, epochs=1)
    for slot in (0, 2):
        second[slot].resume(first[slot].state())
    after = train_together(second, live=[0, 2])
    assert {slot: before[slot] + after[slot] for slot in (0, 2)} == {slot: uninterrupted[slot] for slot in (0, 2)}


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e38])
def test_a_seed_that_diverges_does_not_change_the_results_of_the_others(trials, value):
    chosen = trials()
    expected = train_together(start(chosen))
    trainers = start(chosen)
    with torch.no_grad():
        trainers[1].network.conv1.weight.fill_(value)
    together = train_together(trainers)
    assert trainers[1].diverged and [result.epoch for result in together[1]] == [0, 1]
    assert not math.isfinite(together[1][1].metrics["train/loss"])
    assert {slot: together[slot] for slot in (0, 2)} == {slot: expected[slot] for slot in (0, 2)}


def test_seed_ensemble_ends_when_all_seeds_have_diverged(trials):
    chosen = trials(lr=1e30, epochs=5)
    together = train_together(start(chosen))
    assert [results[-1].epoch for results in together.values()] == [train_alone(trial)[0][-1].epoch for trial in chosen]


def test_a_slot_that_leaves_is_not_reported_and_the_others_go_on(trials):
    expected = train_together(start(trials()))
    ensemble, reported = SeedEnsemble(start(trials()), range(SEEDS)), []
    for results in ensemble.run():
        reported += without_times([result for slot, result in results if slot == 0])
        assert {slot for slot, _ in results} == set(ensemble.live)
        ensemble.leave(1)
    assert ensemble.live == [0, 2]
    assert reported == expected[0]


def test_training_time_is_divided_between_the_live_slots(trials):
    trainers = start(trials(epochs=1))
    ensemble = SeedEnsemble(trainers, [0, 2])
    list(ensemble.run())
    seconds = [trainer.timers.seconds["train"] for trainer in trainers]
    assert seconds[1] == 0
    assert seconds[0] == seconds[2] == pytest.approx(ensemble.timers.seconds["train"] / 2)


def test_forms_of_this_file_have_every_registered_kind_of_layer(trials):
    """A new kind of layer needs an entry in FORMS, so that it is compared with training alone."""
    variants = [trials(form)[0].variant for form in FORMS.values()]
    kinds = {type(layer) for variant in variants for layer in plan_layers(variant, 32).layers()}
    assert kinds == set(build_module.registry) - {object}
