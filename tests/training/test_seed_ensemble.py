"""Several seeds of one variant in one network: what each of them comes to is what it comes to alone."""

import math

import pytest
import torch

from harness.data.loader import BatchLoader
from harness.models import build
from harness.models.modules import module
from harness.models.seed_ensemble import merge_module
from harness.specs import Execution, Recipe, Resources, Trial, Variant
from harness.specs.network.layer_plan import plan_layers
from harness.training import Trainer
from harness.training import trainer as loop
from harness.training.seed_ensemble import SeedEnsemble

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
    """Trials of one variant of depth 8 at several seeds, with fields of variant and recipe changed."""
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
    """Networks, images and what is measured in double precision, in which orders of sums hardly differ."""
    original = BatchLoader.normalise
    monkeypatch.setattr(loop, "build", lambda *arguments: build(*arguments).double())
    monkeypatch.setattr(BatchLoader, "normalise", lambda self, pixels: original(self, pixels).double())
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


def start(trial):
    return Trainer(trial, Execution(), Resources())


def untimed(rows):
    return [
        {"epoch": row.epoch, "layers": row.layers}
        | {key: value for key, value in row.metrics.items() if not key.startswith("time/")}
        for row in rows
    ]


def together(trainings, recorded=None, until=None):
    """Rows of each slot without times; ended after ``until`` epochs."""
    joint = SeedEnsemble(trainings, range(len(trainings)) if recorded is None else recorded)
    rows = {slot: [] for slot in joint.live}
    for number, found in enumerate(joint.run(), start=1):
        for slot, row in found:
            rows[slot].append(row)
        if number == until:
            break
    return {slot: untimed(found) for slot, found in rows.items()}


def alone(trial):
    training, rows = start(trial), []
    for epoch, metrics in training.run():
        rows.append(loop.EpochResult(epoch, metrics, training.layers))
    return untimed(rows), training


def assert_close(ours, theirs):
    assert [row["epoch"] for row in ours] == [row["epoch"] for row in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.keys() == other.keys()
        layers = mine.pop("layers"), other.pop("layers")
        assert mine == pytest.approx(other, rel=1e-12, abs=1e-12)
        if layers[0] is not None:
            assert layers[0].gradient == pytest.approx(layers[1].gradient, rel=1e-12)
            assert layers[0].response == pytest.approx(layers[1].response, rel=1e-12)
            assert layers[0].normalised == layers[1].normalised
        else:
            assert layers[1] is None


def assert_same_state(one, single):
    """Parameters, running statistics, momentum, position: what a checkpoint holds."""
    ours, theirs = one.state(), single.state()
    assert ours.keys() == theirs.keys()
    assert (ours["epochs_done"], ours["under_way"]) == (theirs["epochs_done"], theirs["under_way"])
    assert ours["optimiser"]["param_groups"] == theirs["optimiser"]["param_groups"]
    flat = [
        {"network": one["network"], **{f"state {k}": v for k, v in one["optimiser"]["state"].items()}}
        for one in (ours, theirs)
    ]
    torch.testing.assert_close(flat[0], flat[1], rtol=1e-12, atol=1e-12)


def assert_as_alone(chosen):
    """Trained together, each trial is what it is alone; returns the rows of all."""
    ours = [start(trial) for trial in chosen]
    rows = together(ours)
    for slot, trial in enumerate(chosen):
        expected, single = alone(trial)
        assert_close(rows[slot], expected)
        assert_same_state(ours[slot], single)
    return rows


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_network_gives_what_its_seeds_give_alone(trials, form, float64):
    assert_as_alone(trials(FORMS[form], epochs=2))


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_gives_what_its_seeds_give_alone(trials, recipe, float64):
    """Over several epochs: losses, errors, gradient norms, values by layer, and all that a checkpoint holds."""
    rows = assert_as_alone(trials(**RECIPES[recipe]))
    assert len({str(found) for found in rows.values()}) == SEEDS


def test_in_float32_it_is_the_same_training_in_other_rounding(trials):
    chosen = trials(epochs=1)
    rows = together([start(trial) for trial in chosen])
    for slot, trial in enumerate(chosen):
        (first, last), _ = alone(trial)
        assert rows[slot][0]["grad/first"] == pytest.approx(first["grad/first"], rel=1e-4)
        assert rows[slot][1]["train/loss"] == pytest.approx(last["train/loss"], rel=1e-2)


def test_the_same_company_twice_is_bitwise_equal(trials):
    chosen = trials()
    assert together([start(trial) for trial in chosen]) == together([start(trial) for trial in chosen])


@pytest.mark.parametrize("until", [1, 2])
def test_resumed_in_the_same_company_is_bitwise_equal(trials, until):
    chosen = trials(**RECIPES["clipped, smoothed, augmented"])
    whole = together([start(trial) for trial in chosen])
    first = [start(trial) for trial in chosen]
    begun = together(first, until=until)
    second = [start(trial) for trial in chosen]
    for one, other in zip(first, second, strict=True):
        other.resume(one.state())
    rest = together(second)
    assert {slot: begun[slot] + rest[slot] for slot in begun} == whole


@pytest.mark.parametrize("calls", [1, 5, 8])
def test_paused_between_two_steps_it_goes_on_bitwise_equal(trials, calls):
    """Four steps an epoch; the state in the middle of one holds its sums, and goes on in another process's objects."""
    chosen = trials()
    whole = together([start(trial) for trial in chosen])
    first = [start(trial) for trial in chosen]
    left = iter(range(calls - 1))
    begun = {slot: [] for slot in range(SEEDS)}
    for found in SeedEnsemble(first, range(SEEDS)).run(lambda: "no" if next(left, None) is not None else "stop"):
        if found is None:
            break
        for slot, row in found:
            begun[slot].append(row)
    assert first[0].position[1] > 0
    second = [start(trial) for trial in chosen]
    for one, other in zip(first, second, strict=True):
        other.resume(one.state())
    rest = together(second)
    assert {slot: untimed(begun[slot]) + rest[slot] for slot in begun} == whole


def test_who_is_trained_along_changes_nothing_for_the_others(trials):
    """A slot that does not count keeps its place, whatever is in it."""
    chosen = trials(epochs=2)
    whole = together([start(trial) for trial in chosen])
    first = [start(trial) for trial in chosen]
    begun = together(first, until=1)
    second = [start(trial) for trial in chosen]
    for slot in (0, 2):
        second[slot].resume(first[slot].state())
    rest = together(second, recorded=[0, 2])
    assert {slot: begun[slot] + rest[slot] for slot in (0, 2)} == {slot: whole[slot] for slot in (0, 2)}


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e38])
def test_a_seed_that_diverges_leaves_the_others_as_they_are(trials, value):
    chosen = trials()
    whole = together([start(trial) for trial in chosen])
    hurt = [start(trial) for trial in chosen]
    with torch.no_grad():
        hurt[1].network.conv1.weight.fill_(value)
    rows = together(hurt)
    assert hurt[1].diverged and [row["epoch"] for row in rows[1]] == [0, 1]
    assert not math.isfinite(rows[1][1]["train/loss"])
    assert {slot: rows[slot] for slot in (0, 2)} == {slot: whole[slot] for slot in (0, 2)}


def test_all_that_diverge_end_it(trials):
    chosen = trials(lr=1e30, epochs=5)
    rows = together([start(trial) for trial in chosen])
    assert [found[-1]["epoch"] for found in rows.values()] == [alone(trial)[0][-1]["epoch"] for trial in chosen]


def test_time_is_shared_out_among_those_that_count(trials):
    ours = [start(trial) for trial in trials(epochs=1)]
    joint = SeedEnsemble(ours, [0, 2])
    list(joint.run())
    seconds = [training.clocks.seconds["train"] for training in ours]
    assert seconds[1] == 0
    assert seconds[0] == seconds[2] == pytest.approx(joint.clocks.seconds["train"] / 2)


def test_no_kind_of_layer_is_without_its_joint_form(trials):
    """Each that is registered is in one of the forms above; one that is added belongs there too."""
    variants = [trials(form)[0].variant for form in FORMS.values()]
    kinds = {type(layer) for variant in variants for layer in plan_layers(variant, 32).layers()}
    assert kinds == set(module.registry) - {object}
    with pytest.raises(TypeError, match="no joint form of Tanh"):
        merge_module(torch.nn.Tanh(), 2)
