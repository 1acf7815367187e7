"""One trial: deterministic, paired across variants, resumable, and honest about divergence."""

import math
from io import BytesIO
from pathlib import Path

import pytest
import torch
from torch import nn

from harness.errors import HarnessError
from harness.io.atomic_files import pack_archive
from harness.io.storage import Checkpoint, Folder, checkpoints
from harness.specs import Execution, Recipe, Resources, Trial, Variant
from harness.training import Trainer
from harness.training.checkpoint import load_state, save
from harness.training.device import choose_device, configure_process
from harness.training.optimisers import learning_rate, optimiser
from harness.training.timers import Timers
from harness.training.trainer import micro_batches

UNTIMED = ("time/",)
PLAIN = Execution()


def _untimed(metrics):
    return {key: value for key, value in metrics.items() if not key.startswith(UNTIMED)}


def _run(trial, execution=PLAIN):
    return [(epoch, _untimed(metrics)) for epoch, metrics in Trainer(trial, execution, Resources()).run()]


@pytest.fixture
def trial(quick_study):
    """A trial of the quick experiment, with fields of its recipe (and variant) changed."""
    trials = quick_study().trials

    def make(index=4, variant=None, **recipe):
        chosen = trials[index]
        fields = {**chosen.recipe.model_dump(), **recipe}
        changed = Variant(**{**chosen.variant.model_dump(), **(variant or {})})
        return chosen.model_copy(update={"recipe": Recipe(**fields), "variant": changed})

    return make


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"augment": "crop-flip", "crop_padding": 1},
        {"optimiser": "adamw", "lr": 0.01},
        {"precision": "bf16"},
        {"variant": {"stochastic_depth": 0.5}},
    ],
)
def test_the_same_trial_twice_is_bitwise_equal(trial, recipe):
    chosen = trial(**recipe)
    assert _run(chosen) == _run(chosen)


def test_a_reused_process_keeps_nothing_of_the_trial_before(trial):
    fresh = _run(trial())
    torch.manual_seed(99)
    torch.set_num_threads(2)
    torch.set_flush_denormal(False)
    _run(trial(index=0, precision="bf16"))
    torch.rand(7)
    assert _run(trial()) == fresh


def test_epochs_and_metrics(trial):
    rows = _run(trial())
    assert [epoch for epoch, _ in rows] == [0, 1, 2]
    assert set(rows[0][1]) == {"grad/first", "grad/middle", "grad/last"}
    last = rows[-1][1]
    assert {"train/error", "train/error_clean", "train/loss", "train/loss_clean", "test/error", "optim/lr"} <= set(last)
    assert last["test/accuracy"] == 100 - last["test/error"]
    assert all(math.isfinite(value) for value in last.values())


def test_training_learns(trial):
    """Against guessing, at 90 %: it trains for real."""
    assert _run(trial(epochs=20))[-1][1]["train/error_clean"] < 50


def test_validation_is_held_out_and_reported(quick_study):
    study = quick_study(data={"name": "digits", "train_images": 256, "val_fraction": 0.25})
    assert study.data.val > 0
    assert "val/error" in _run(study.trials[0])[-1][1]


def test_evaluation_changes_nothing_but_the_record(trial):
    """Evaluated every epoch or at the end alone, the last epoch is the same."""
    often, once = _run(trial()), _run(trial(), Execution(evaluate_every=2))
    assert often[-1] == once[-1]
    assert "test/error" in often[1][1]
    assert "test/error" not in once[1][1]


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"augment": "crop-flip", "crop_padding": 1, "warmup_epochs": 1, "label_smoothing": 0.1},
        {"optimiser": "adamw", "schedule": "step"},
        {"schedule": "one-cycle", "clip_grad_norm": 0.5},
    ],
)
def test_resumed_is_bitwise_equal_to_uninterrupted(trial, recipe, tmp_path):
    chosen = trial(epochs=4, **recipe)
    whole = _run(chosen)
    first = Trainer(chosen, Execution(), Resources())
    steps = first.run()
    begun = [(epoch, _untimed(metrics)) for epoch, metrics in (next(steps) for _ in range(3))]
    folder = Folder.at(tmp_path)
    save(folder, Checkpoint(1, *first.position), b"{}", first.state())
    second = Trainer(chosen, Execution(), Resources())
    with folder.open(checkpoints(folder)[0].name) as file:
        second.resume(load_state(file, "here", second.device))
    assert second.position == (2, 0)
    assert second.clocks.seconds == first.clocks.seconds
    assert begun + [(epoch, _untimed(metrics)) for epoch, metrics in second.run()] == whole


def test_a_diverged_trial_ends_early_as_a_result(trial):
    training = Trainer(trial(lr=1e30, epochs=5), Execution(), Resources())
    rows = list(training.run())
    assert training.diverged
    assert rows[-1][0] < 5
    assert not math.isfinite(rows[-1][1]["train/loss"])


def test_twins_see_the_same_batches(quick_study):
    """At one seed, and different ones at another."""
    trials = quick_study().trials
    plain, residual = (
        next(t for t in trials if t.variant.shortcut == s and t.seed == 100) for s in ("none", "identity")
    )
    other = next(t for t in trials if t.seed == 101)

    def seen(trial):
        training = Trainer(trial, Execution(), Resources())
        return torch.cat(
            [images.flatten() for images, _ in training.splits["train"].epoch(trial.recipe, trial.seed, 1)]
        )

    assert torch.equal(seen(plain), seen(residual))
    assert not torch.equal(seen(plain), seen(other))


def test_checkpoints_are_whole_checked_and_the_last_two_kept(tmp_path):
    folder = Folder.at(tmp_path)
    for epoch in (1, 2, 3):
        save(folder, Checkpoint(1, epoch), b"{}", {"epoch": epoch, "weights": torch.ones(3)})
    assert [checkpoint.epoch for checkpoint in checkpoints(folder)] == [3, 2]
    content = folder.read(checkpoints(folder)[0].name)

    def state(content):
        return load_state(BytesIO(bytes(content)), "here", torch.device("cpu"))

    assert state(content)["epoch"] == 3
    damaged = bytearray(content)
    damaged[content.index(b"state.pt") + 500] ^= 0xFF
    with pytest.raises(HarnessError):
        state(damaged)
    with pytest.raises(HarnessError, match="not a readable archive"):
        state(content[:100])


def test_objects_in_a_checkpoint_are_refused(tmp_path):
    """Weights are loaded as tensors alone: nothing in a file is executed."""
    tensors = BytesIO()
    torch.save({"network": Path(tmp_path)}, tensors)
    content = pack_archive({"history.json": b"{}", "state.pt": tensors.getvalue()})
    with pytest.raises(HarnessError, match="cannot be loaded safely"):
        load_state(BytesIO(content), "here", torch.device("cpu"))


def test_gradients_of_micro_batches_add_up_to_that_of_the_batch(trial):
    """With BatchNorm in eval mode, where it does not see what is in a batch, to float tolerance."""

    def gradient(size):
        training = Trainer(trial(micro_batch=size, lr=1e-9), Execution(), Resources())
        training.network.train = lambda mode=True: nn.Module.train(training.network, False)
        next(training.run())
        return torch.cat([parameter.grad.flatten() for parameter in training.network.parameters()])

    torch.testing.assert_close(gradient(16), gradient(None), rtol=1e-4, atol=1e-5)


def test_a_single_image_left_over_joins_a_micro_batch():
    images, labels = torch.zeros(9, 1), torch.zeros(9)
    assert [len(part) for part, _ in micro_batches(images, labels, 4)] == [4, 5]
    assert [len(part) for part, _ in micro_batches(images, labels, None)] == [9]


def test_learning_rates():
    """Against values worked out by hand; 10 steps an epoch."""
    step = Recipe(epochs=4, batch=2, lr=1, schedule="step", milestones=(0.5, 0.75))
    assert [learning_rate(step, s, 10) for s in (0, 19, 20, 29, 30)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    cosine = Recipe(epochs=4, batch=2, lr=1, warmup_epochs=2)
    assert [learning_rate(cosine, s, 10) for s in (0, 9, 19, 20, 30)] == pytest.approx([0.05, 0.5, 1, 1, 0.5])
    cycle = Recipe(epochs=10, batch=2, lr=1, schedule="one-cycle")
    assert [learning_rate(cycle, s, 10) for s in (0, 30, 65)] == pytest.approx([0.04, 1, 0.5])
    assert learning_rate(Recipe(epochs=1, batch=2, lr=0.3, schedule="constant"), 9, 10) == 0.3


def test_devices_are_refused_by_name():
    if not torch.cuda.is_available():
        with pytest.raises(HarnessError, match="none that torch can use"):
            choose_device(Resources(gpus=1), "fp32")
    with pytest.raises(HarnessError, match="does not train in fp16"):
        choose_device(Resources(), "fp16")


def test_threads_are_those_of_the_trial(trial):
    recipe = trial().recipe
    configure_process(torch.device("cpu"), Execution(), recipe, 2)
    assert torch.get_num_threads() == 2
    configure_process(torch.device("cpu"), Execution(), recipe, 1)
    assert torch.get_num_threads() == 1


def test_clocks_add_up_apart():
    clocks = Timers(torch.device("cpu"))
    for name in ("train", "eval", "train"):
        with clocks(name):
            sum(range(1000))
    assert clocks.seconds["train"] > 0 and clocks.seconds["eval"] > 0
    assert clocks.seconds["record"] == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_on_a_gpu(trial, precision):
    chosen = trial(precision=precision, epochs=20)
    rows = [(e, _untimed(m)) for e, m in Trainer(chosen, Execution(), Resources(gpus=1)).run()]
    again = [(e, _untimed(m)) for e, m in Trainer(chosen, Execution(), Resources(gpus=1)).run()]
    assert rows == again
    assert rows[-1][1]["train/error_clean"] < 50


def test_a_trial_is_frozen(trial):
    with pytest.raises(ValueError, match="frozen"):
        trial().seed = 1
    assert isinstance(trial(), Trial)


def test_loss_scaling_is_never_paired_with_the_fused_kernel():
    """Its momentum is left uninitialised where the first step is skipped for an overflow."""
    parameter = [torch.nn.Parameter(torch.ones(2))]
    assert optimiser(Recipe(epochs=1, batch=2, lr=1, precision="fp16"), parameter).defaults["fused"] is False
    assert optimiser(Recipe(epochs=1, batch=2, lr=1), parameter).defaults["fused"] is True


def test_a_divergence_of_the_very_last_update_is_seen(trial):
    """One step: the training loss is of before it, the evaluation of after it."""
    training = Trainer(trial(lr=1e38, epochs=1, batch=256), Execution(), Resources())
    (_, _), (_, last) = training.run()
    assert math.isfinite(last["train/loss"])
    assert training.diverged


def test_gradient_norms_are_those_before_clipping(trial):
    free, clipped = (_run(trial(clip_grad_norm=norm))[0][1] for norm in (None, 1e-3))
    assert free == clipped
    assert free["grad/first"] > 1e-3
