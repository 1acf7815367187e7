"""One trial in progress: its network, its training steps, its evaluation and its state."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.data.description import count_steps_per_epoch
from harness.data.loader import BatchLoader
from harness.data.splits import load_splits
from harness.models import build
from harness.models.auxiliary import compute_losses
from harness.specs import Execution, Resources, Trial
from harness.specs.random_streams import stream_seed
from harness.training.device import (
    autocast,
    choose_device,
    configure_process,
    describe_device,
    describe_kernels,
    device_name,
    read_peak_memory,
    reset_peak_memory,
)
from harness.training.diagnostics import GradientNorms, LayerProbe, build_layer_profile
from harness.training.distributed import SINGLE_PROCESS, ProcessGroup
from harness.training.epoch import EpochResult, EpochState, Metrics, PauseCheck, compute_mean_metrics, sum_batch
from harness.training.memory import split_into_micro_batches
from harness.training.optimisers import build_optimiser, learning_rate
from harness.training.timers import CoreTimes, Timers


class Trainer:
    """A trial in progress. :class:`TrainingLoop` calls it epoch by epoch.

    Args:
        trial: The trial to train.
        execution: Settings that change rounding only.
        resources: Number of threads and of GPUs.
        group: The processes that train the trial together. Each has a trainer; only rank 0 reports results.

    Attributes:
        epochs_done: Epochs that are trained, evaluated and reported.
        epoch_state: The epoch that has begun and is not reported yet.
        diverged: Whether the training loss, or the last evaluation, was not finite.

    Raises:
        HarnessError: The data is missing or differs from the trial's fingerprint, or the device is missing.
    """

    def __init__(
        self, trial: Trial, execution: Execution, resources: Resources, group: ProcessGroup = SINGLE_PROCESS
    ) -> None:
        self.trial, self.recipe, self.execution, self.group = trial, trial.recipe, execution, group
        self.device = choose_device(resources, trial.recipe.precision)
        self.memory_format = configure_process(self.device, execution, trial.recipe, resources.cpus)
        self.threads = resources.cpus
        reset_peak_memory(self.device)
        self.devices = group.describe_devices(device_name(self.device, resources.cpus))
        self.timers = Timers(self.device)

        workers = resources.cpus if resources.cpus > 1 else 0
        splits = load_splits(trial.split_data, trial.recipe.augment, workers).to(self.device)
        self.splits = {
            name: BatchLoader(split, splits, self.memory_format, self.device)
            for name, split in {"train": splits.train, "val": splits.val, "test": splits.test}.items()
            if len(split)
        }
        self.steps = count_steps_per_epoch(len(splits.train), self.recipe.batch)

        self.network = build(trial.variant, trial.seed_of("initialisation"), self.device).to(
            memory_format=self.memory_format
        )
        if self.recipe.sync_norm:
            self.network = nn.SyncBatchNorm.convert_sync_batchnorm(self.network)
        if execution.compile:
            # torch compiles a limited number of networks in a process and silently runs any further ones uncompiled.
            torch.compiler.reset()
            self.network.compile()
        self.model = group.wrap_model(self.network, self.device)
        self.auxiliary_weight = getattr(trial.variant, "auxiliary_weight", 0.0)
        self.frozen = trial.variant.weights is not None and trial.variant.weights.freeze == "body"
        self.optimiser = build_optimiser(self.recipe, (p for p in self.network.parameters() if p.requires_grad))
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.recipe.precision == "fp16")
        self.gradients = GradientNorms(self.network)
        self.probe = LayerProbe(self.network, responses=not execution.compile)
        self.epochs_done = 0
        self.epoch_state: EpochState | None = None
        self.diverged = False
        self._batches: Iterator[tuple[Tensor, Tensor]] | None = None

    @property
    def position(self) -> tuple[int, int]:
        """(epochs done, steps done in the next epoch)."""
        return self.epochs_done, self.epoch_state.step if self.epoch_state else 0

    def train_epoch(self, epoch: int, pause: PauseCheck) -> bool:
        """Train to the end of the epoch (True) or to the next pause in it (False); sums stay on the device."""
        with self.timers.measure("train"):
            if self.epoch_state is None:
                sums = torch.zeros(3, device=self.device, dtype=torch.float64)
                self.epoch_state = EpochState(self.timers.seconds["train"], sums)
            state = self.epoch_state
            if self._batches is None:
                steps = range(state.step, self.steps)
                self._batches = self.training_batches(epoch, steps)
            self.model.train()
            if self.frozen:
                freeze_norm_statistics(self.network)
            for images, labels in self._batches:
                self._step(images, labels, (epoch - 1) * self.steps + state.step, state)
                state.step += 1
                if state.step < self.steps and pause() != "no":
                    self.group.reduce_to_rank0(state.sums)
                    return False
            self._batches = None
            self.group.all_reduce(state.sums)
            return True

    def training_batches(self, epoch: int, steps: range) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this worker's part of the trial's batches of an epoch, from the seeds of its order and augmentation."""
        return self.splits["train"].training_batches(
            self.recipe,
            self.trial.seed_of("order"),
            epoch,
            steps,
            self.group.shard,
            augmentation_seed=self.trial.seed_of("augmentation"),
        )

    def _step(self, images: Tensor, labels: Tensor, step: int, state: EpochState) -> None:
        """Update the network once, from the gradient of the whole batch."""
        for parameters in self.optimiser.param_groups:
            parameters["lr"] = learning_rate(self.recipe, step, self.steps)
        self.optimiser.zero_grad(set_to_none=True)
        with self.probe.record() if self.is_probed(step) else nullcontext():
            self._backward(images, labels, step, state)
        if self.scaler.is_enabled():
            self.scaler.unscale_(self.optimiser)
        # Before clipping, which would hide how large the gradients are.
        self.measure(step)
        if self.recipe.clip_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_grad_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def _backward(self, images: Tensor, labels: Tensor, step: int, state: EpochState) -> None:
        """Add up the gradient of the whole batch, of which ``images`` are this worker's part.

        Workers average their gradients in the backward pass, so each loss is scaled by the number of workers.
        """
        batch_size = min(self.recipe.batch, len(self.splits["train"]) - state.step * self.recipe.batch)
        # A batch too small to be divided goes whole to each worker.
        workers = self.group.shard.workers if len(labels) < batch_size else 1
        parts = list(split_into_micro_batches(images, labels, self.recipe.micro_batch))
        for number, (part, targets) in enumerate(parts):
            if self.trial.variant.is_stochastic:
                # Dropout draws from torch's default generators. A seed for each step leaves no state to be saved.
                seed = self.trial.seed_of("augmentation")
                torch.manual_seed(stream_seed(seed, "network", step, number, *self.group.stream_key))
            # Workers average once a step, after the gradients of their micro-batches have been added up.
            with self.group.no_sync(self.model, number < len(parts) - 1):
                with autocast(self.device, self.recipe.precision):
                    logits, loss, total = compute_losses(
                        self.model(part), targets, self.recipe.label_smoothing, self.auxiliary_weight
                    )
                if workers > 1 or self.group.is_rank0:
                    state.sums += sum_batch(logits.detach(), targets, loss.detach() * len(targets))
                weight = workers * len(targets) / batch_size
                self.scaler.scale(total if weight == 1 else total * weight).backward()

    def is_probed(self, step: int) -> bool:
        """Return whether the step is the first or the last of the trial, whose layers are measured."""
        return step in (0, self.recipe.epochs * self.steps - 1)

    def measure(self, step: int) -> None:
        """Keep the norms of the present gradients, and the probe's measurements, at the steps that report them."""
        assert self.epoch_state is not None
        state, first = self.epoch_state, step == 0
        if first or state.step == self.steps - 1:
            state.gradients = self.gradients.measure()
        if self.is_probed(step):
            state.layers = self.probe.measure()
        if first:
            state.at_start, state.layers_at_start = state.gradients, state.layers
            if step != self.recipe.epochs * self.steps - 1:
                state.layers = {}

    def evaluate_if_due(self, epoch: int, pause: PauseCheck) -> Metrics | None:
        """Evaluate the epoch's network where that is due; set ``diverged``.

        Returns:
            Its metrics; ``{}`` where no evaluation is due; None where ``pause`` stopped the evaluation.
        """
        assert self.epoch_state is not None
        last = epoch == self.recipe.epochs
        self.diverged = not math.isfinite(float(self.epoch_state.sums[0]))
        if not (self.diverged or last or epoch % self.execution.evaluate_every == 0):
            return {}
        with self.timers.measure("eval"):
            evaluated = self._evaluate(pause)
        # No later step would show that the very last update diverged.
        if evaluated and last:
            self.diverged |= not all(map(math.isfinite, evaluated.values()))
        return evaluated

    @torch.inference_mode()
    def _evaluate(self, pause: PauseCheck) -> Metrics | None:
        """Return errors and losses in evaluation mode on images without augmentation; None where stopped.

        Metrics of the training split have the suffix ``_clean``. An evaluation has no state to save: a trial that
        stops in it evaluates again from the start.
        """
        self.network.eval()
        self.group.broadcast_buffers(self.network)
        metrics: Metrics = {}
        for name, batches in self.splits.items():
            sums = torch.zeros(3, device=self.device, dtype=torch.float64)
            for images, labels in batches.evaluation_batches(self.group.shard):
                if pause() == "stop":
                    return None
                with autocast(self.device, self.recipe.precision):
                    logits = self.network(images)
                    loss = F.cross_entropy(logits, labels, reduction="sum")
                sums += sum_batch(logits, labels, loss)
            self.group.all_reduce(sums)
            suffix = "_clean" if name == "train" else ""
            metrics |= compute_mean_metrics(f"{name}/loss{suffix}", f"{name}/error{suffix}", sums)
        metrics["test/accuracy"] = 100 - metrics["test/error"]
        return metrics

    def end_epoch(self, epoch: int, evaluated: Metrics) -> list[EpochResult]:
        """Close an epoch that is trained and evaluated; return its result, in the first epoch after that of epoch 0.

        Args:
            epoch: Its number, from 1.
            evaluated: The metrics of :meth:`evaluate_if_due`.
        """
        assert self.epoch_state is not None
        state, self.epoch_state = self.epoch_state, None
        self.epochs_done = epoch
        results = []
        if state.at_start:
            results.append(EpochResult(0, _as_floats(state.at_start), build_layer_profile(state.layers_at_start)))
        seconds = self.timers.seconds["train"] - state.clock
        metrics = compute_mean_metrics("train/loss", "train/error", state.sums) | _as_floats(state.gradients)
        metrics |= {"optim/lr": learning_rate(self.recipe, epoch * self.steps - 1, self.steps)} | evaluated
        metrics |= {f"time/{name}_s": value for name, value in self.timers.seconds.items()}
        metrics |= {"time/epoch_s": seconds, "time/images_per_s": len(self.splits["train"]) / seconds}
        if (waiting_share := self.timers.cores.waiting_share) is not None:
            metrics["time/waiting_share"] = waiting_share
        return [*results, EpochResult(epoch, metrics, build_layer_profile(state.layers))]

    def state(self) -> dict[str, Any]:
        """Return the state to save; random streams are named by (seed, purpose, epoch) and need none."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "epochs_done": self.epochs_done,
            "under_way": None if self.epoch_state is None else asdict(self.epoch_state),
            "seconds": dict(self.timers.seconds),
            "cores": asdict(self.timers.cores),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned; later results equal those of an uninterrupted trial, bit for bit."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.epochs_done = state["epochs_done"]
        self.epoch_state = None if state["under_way"] is None else EpochState(**state["under_way"])
        if self.epoch_state is not None and not self.group.is_rank0:
            # The saved sums are those of all workers: rank 0 alone continues from them.
            self.epoch_state.sums.zero_()
        self.timers.seconds = dict(state["seconds"])
        # Checkpoints of earlier versions have no such times.
        self.timers.cores = CoreTimes(**state.get("cores", {}))

    def memory(self) -> dict[str, int]:
        """Return the ``peak`` bytes that this process took, and those that the ``device`` (or the machine) has.

        On a GPU the peak is what torch reserved. The context of CUDA, a few hundred MB, is not counted.
        """
        return read_peak_memory(self.device)

    def provenance(self) -> dict[str, Any]:
        """Return device, software and execution settings for the record."""
        description = describe_device(self.device, self.memory_format, self.threads) | {"device": self.devices}
        return description | {
            "kernels": describe_kernels(self.execution),
            "precision": self.recipe.precision,
            "execution": self.execution.model_dump(mode="json"),
        }


def freeze_norm_statistics(network: nn.Module) -> None:
    """Set every BatchNorm to evaluation mode, so that a frozen body keeps its running statistics."""
    for norm in (m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)):
        norm.eval()


def _as_floats(tensors: dict[str, Tensor]) -> Metrics:
    return {key: float(value) for key, value in tensors.items()}
