"""One trial: deterministic, paired across variants, resumable, and a result where it diverges."""

import math

import pytest
import torch
from torch import nn
from training_helpers import train, without_times

from harness.io.checkpoint_names import Checkpoint, list_checkpoints
from harness.io.storage import Folder
from harness.specs import Execution, Resources
from harness.training.checkpoint_file import load_state, write_checkpoint
from harness.training.trainer import Trainer

AUGMENTED = {"augment": "crop-flip", "crop_padding": 1}


def start(trial, execution=None, gpus=0):
    return Trainer(trial, execution or Execution(), Resources(gpus=gpus))


def results_of(trial, execution=None):
    return without_times(train(start(trial, execution)))


@pytest.mark.parametrize(
    "changes",
    [{}, AUGMENTED, {"optimiser": "adamw", "lr": 0.01}, {"precision": "bf16"}, {"variant": {"stochastic_depth": 0.5}}],
)
def test_trainer_gives_bitwise_equal_results_twice(trial, changes):
    assert results_of(trial(**changes)) == results_of(trial(**changes))


def test_trainer_in_a_reused_process_is_not_affected_by_the_trial_before(trial):
    fresh = results_of(trial())
    torch.manual_seed(99)
    torch.set_num_threads(2)
    torch.set_flush_denormal(False)
    results_of(trial(index=0, precision="bf16"))
    torch.rand(7)
    assert results_of(trial()) == fresh


def test_trainer_measures_gradients_in_epoch_0_and_everything_in_the_last(trial):
    results = results_of(trial())
    assert [result.epoch for result in results] == [0, 1, 2]
    assert set(results[0].metrics) == {"grad/first", "grad/middle", "grad/last"}
    last = results[-1].metrics
    assert {"train/error", "train/error_clean", "train/loss", "train/loss_clean", "test/error", "optim/lr"} <= set(last)
    assert last["test/accuracy"] == 100 - last["test/error"]
    assert all(math.isfinite(value) for value in last.values())


def test_trainer_learns_the_training_images(trial):
    """Guessing has an error of 90 %."""
    assert results_of(trial(epochs=20))[-1].metrics["train/error_clean"] < 50


def test_trainer_with_a_validation_split_reports_its_error(quick_study):
    experiment = quick_study(data={"name": "digits", "train_images": 256, "val_fraction": 0.25})
    assert experiment.data.val > 0
    assert "val/error" in results_of(experiment.trials[0])[-1].metrics


def test_trainer_evaluated_less_often_gives_the_same_last_epoch(trial):
    often, once = results_of(trial()), results_of(trial(), Execution(evaluate_every=2))
    assert often[-1] == once[-1]
    assert "test/error" in often[1].metrics
    assert "test/error" not in once[1].metrics


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {**AUGMENTED, "warmup_epochs": 1, "label_smoothing": 0.1},
        {"optimiser": "adamw", "schedule": "step"},
        {"schedule": "one-cycle", "clip_grad_norm": 0.5},
    ],
)
def test_trainer_resumed_from_a_checkpoint_is_bitwise_equal_to_an_uninterrupted_one(trial, recipe, tmp_path):
    changed = trial(epochs=4, **recipe)
    uninterrupted = results_of(changed)
    first = start(changed)
    before = without_times(train(first, epochs=2))
    folder = Folder.from_location(tmp_path)
    write_checkpoint(folder, Checkpoint(1, *first.position), b"{}", first.state())
    second = start(changed)
    with folder.open(list_checkpoints(folder)[0].name) as file:
        second.resume(load_state(file, "here", second.device))
    assert second.position == (2, 0)
    assert second.timers.seconds == first.timers.seconds
    assert before + without_times(train(second)) == uninterrupted


def test_trainer_that_diverges_ends_early_with_its_loss_as_a_result(trial):
    trainer = start(trial(lr=1e30, epochs=5))
    results = train(trainer)
    assert trainer.diverged
    assert results[-1].epoch < 5
    assert not math.isfinite(results[-1].metrics["train/loss"])


def test_trainer_notices_that_the_very_last_update_diverged(trial):
    """With one step, the training loss is from before the update and the evaluation from after it."""
    trainer = start(trial(lr=1e38, epochs=1, batch=256))
    _, last = train(trainer)
    assert math.isfinite(last.metrics["train/loss"])
    assert trainer.diverged


def test_twins_see_the_same_batches_at_one_seed_and_others_at_another(quick_study):
    trials = quick_study().trials
    plain, residual = (
        next(t for t in trials if t.variant.shortcut == s and t.seed == 100) for s in ("none", "identity")
    )
    other_seed = next(t for t in trials if t.seed == 101)

    def images_of(trial):
        epoch = start(trial).splits["train"].training_batches(trial.recipe, trial.seed, 1)
        return torch.cat([images.flatten() for images, _ in epoch])

    assert torch.equal(images_of(plain), images_of(residual))
    assert not torch.equal(images_of(plain), images_of(other_seed))


def test_gradient_norms_are_measured_before_clipping(trial):
    free, clipped = (results_of(trial(clip_grad_norm=norm))[0].metrics for norm in (None, 1e-3))
    assert free == clipped
    assert free["grad/first"] > 1e-3


def test_gradients_of_micro_batches_add_up_to_the_gradient_of_the_batch(trial):
    """Compared to float tolerance, with BatchNorm in evaluation mode, where it does not depend on the batch."""

    def gradient(size):
        trainer = start(trial(micro_batch=size, lr=1e-9))
        trainer.network.train = lambda mode=True: nn.Module.train(trainer.network, False)
        train(trainer, epochs=1)
        return torch.cat([parameter.grad.flatten() for parameter in trainer.network.parameters()])

    torch.testing.assert_close(gradient(16), gradient(None), rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_trainer_on_a_gpu_learns_and_gives_equal_results_twice(trial, precision):
    changed = trial(precision=precision, epochs=20)
    first, second = (without_times(train(start(changed, gpus=1))) for _ in range(2))
    assert first == second
    assert first[-1].metrics["train/error_clean"] < 50
