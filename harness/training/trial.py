"""One trial, top to bottom: a generator of epoch results. Who loops over it decides where they go."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.data.batches import Batches, load
from harness.data.info import steps_per_epoch
from harness.models import build
from harness.specs import Execution, Resources, Trial
from harness.training.clocks import Clocks
from harness.training.device import choose_device, configure, describe_device
from harness.training.diagnostics import GradientNorms
from harness.training.optim import learning_rate, optimiser

Metrics = dict[str, float]
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Training:
    """A trial in progress.

    Args:
        trial: What to train.
        execution: Settings that change rounding only.
        resources: Threads, and whether on a GPU.

    Raises:
        HarnessError: The data is not at hand or differs from the trial's fingerprint, or the device is missing.
    """

    def __init__(self, trial: Trial, execution: Execution, resources: Resources) -> None:
        self.trial, self.recipe, self.execution = trial, trial.recipe, execution
        self.device = choose_device(resources, trial.recipe.precision)
        self.memory_format = configure(self.device, execution, trial.recipe, resources.cpus)
        self.threads = resources.cpus
        self.clocks = Clocks(self.device)

        workers = resources.cpus if resources.cpus > 1 else 0
        splits = load(trial.data, trial.recipe.augment, workers).to(self.device)
        parts = {"train": splits.train, "val": splits.val, "test": splits.test}
        self.splits = {
            name: Batches(part, splits, self.memory_format, self.device) for name, part in parts.items() if len(part)
        }
        self.steps = steps_per_epoch(len(splits.train), self.recipe.batch)

        self.network = build(trial.variant, trial.seed, self.device).to(memory_format=self.memory_format)
        self.model: nn.Module = self.network
        if execution.compile:
            self.model.compile()
        self.optimiser = optimiser(self.recipe, self.network.parameters())
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.recipe.precision == "fp16")
        self.gradients = GradientNorms(self.network)
        self.epochs_done = 0
        self.diverged = False

    def run(self) -> Iterator[tuple[int, Metrics]]:
        """(epoch, metrics) after each epoch that is left; epoch 0 comes first, measured before the first update.

        Ends early, as a result and not as a crash, once the loss is not finite.
        """
        for epoch in range(self.epochs_done + 1, self.recipe.epochs + 1):
            before = self.clocks.seconds["train"]
            with self.clocks("train"):
                at_start, metrics = self._train(epoch)
            if at_start:
                yield 0, at_start
            seconds = self.clocks.seconds["train"] - before
            self.diverged = not math.isfinite(metrics["train/loss"])
            if self.diverged or epoch % self.execution.evaluate_every == 0 or epoch == self.recipe.epochs:
                with self.clocks("eval"):
                    evaluated = self._evaluate()
                metrics |= evaluated
                # The last update may be the one that diverges: no later step would show it.
                self.diverged |= epoch == self.recipe.epochs and not all(map(math.isfinite, evaluated.values()))
            metrics |= {f"time/{name}_s": value for name, value in self.clocks.seconds.items()}
            metrics |= {"time/epoch_s": seconds, "time/images_per_s": len(self.splits["train"]) / seconds}
            self.epochs_done = epoch
            yield epoch, metrics
            if self.diverged:
                return

    def _train(self, epoch: int) -> tuple[Metrics, Metrics]:
        """One epoch; sums stay on the device until its end. Returns (metrics before the first update, of the epoch)."""
        self.model.train()
        sums = torch.zeros(3, device=self.device, dtype=torch.float64)
        at_start: dict[str, Tensor] = {}
        gradients: dict[str, Tensor] = {}
        step = (epoch - 1) * self.steps
        lr = self.recipe.lr
        for images, labels in self.splits["train"].epoch(self.recipe, self.trial.seed, epoch):
            lr = learning_rate(self.recipe, step, self.steps)
            for group in self.optimiser.param_groups:
                group["lr"] = lr
            self.optimiser.zero_grad(set_to_none=True)
            with self._autocast():
                logits = self.model(images)
                loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
            self.scaler.scale(loss).backward()
            if self.scaler.is_enabled():
                self.scaler.unscale_(self.optimiser)
            if step in (0, epoch * self.steps - 1):
                # Before clipping, which would hide what is looked for.
                gradients = self.gradients.measure()
                at_start = gradients if step == 0 else at_start
            if self.recipe.clip_grad_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_grad_norm)
            self.scaler.step(self.optimiser)
            self.scaler.update()
            sums += _sums(logits.detach(), labels, loss.detach() * len(labels))
            step += 1
        metrics = _rates("train/loss", "train/error", sums) | _numbers(gradients) | {"optim/lr": lr}
        return _numbers(at_start), metrics

    @torch.inference_mode()
    def _evaluate(self) -> Metrics:
        """Errors and losses in eval mode on un-augmented images; of training they are called clean."""
        self.model.eval()
        metrics: Metrics = {}
        for name, batches in self.splits.items():
            sums = torch.zeros(3, device=self.device, dtype=torch.float64)
            for images, labels in batches.in_order():
                with self._autocast():
                    logits = self.model(images)
                    loss = F.cross_entropy(logits, labels, reduction="sum")
                sums += _sums(logits, labels, loss)
            suffix = "_clean" if name == "train" else ""
            metrics |= _rates(f"{name}/loss{suffix}", f"{name}/error{suffix}", sums)
        metrics["test/accuracy"] = 100 - metrics["test/error"]
        return metrics

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = AUTOCAST.get(self.recipe.precision)
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype)

    def state(self) -> dict[str, Any]:
        """All that resuming needs; random streams are named by (seed, purpose, epoch) and need no state."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "epochs_done": self.epochs_done,
            "seconds": dict(self.clocks.seconds),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned; the results are those of an uninterrupted run, bit for bit."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.epochs_done = state["epochs_done"]
        self.clocks.seconds = dict(state["seconds"])

    def provenance(self) -> dict[str, Any]:
        """Device, software and settings, for the record."""
        described = describe_device(self.device, self.memory_format, self.threads)
        kernels = "deterministic" if self.execution.deterministic else "autotuned"
        described["kernels"] = kernels + ", compiled" * self.execution.compile
        return described | {"precision": self.recipe.precision, "execution": self.execution.model_dump(mode="json")}


def _sums(logits: Tensor, labels: Tensor, loss: Tensor) -> Tensor:
    """(summed loss, wrong predictions, images) of a batch, on the device."""
    wrong = (logits.argmax(1) != labels).sum()
    return torch.stack([loss.double(), wrong.double(), torch.full_like(wrong, len(labels)).double()])


def _rates(loss: str, error: str, sums: Tensor) -> Metrics:
    """Mean loss, and error in percent."""
    total, wrong, images = sums.tolist()
    return {loss: total / images, error: 100 * wrong / images}


def _numbers(tensors: dict[str, Tensor]) -> Metrics:
    return {key: float(value) for key, value in tensors.items()}
