"""One trial, top to bottom: a generator of epoch results. Who loops over it decides where they go."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.data.description import steps_per_epoch
from harness.data.loader import BatchLoader, load_splits
from harness.models import build
from harness.specs import Execution, Resources, Trial
from harness.specs.layer_profile import LayerProfile
from harness.specs.random_streams import stream_seed
from harness.training.device import (
    choose_device,
    configure_process,
    describe_device,
    device_name,
    peak_memory,
    reset_peak_memory,
)
from harness.training.diagnostics import GradientNorms, LayerProbe, profile
from harness.training.distributed import ALONE, Pause, ProcessGroup
from harness.training.optimisers import learning_rate, optimiser
from harness.training.timers import Timers

Metrics = dict[str, float]
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class EpochResult(NamedTuple):
    """What an epoch measured: its number, metrics by key, and what each layer measured in its step, where any did."""

    epoch: int
    metrics: Metrics
    layers: LayerProfile | None


@dataclass
class EpochState:
    """What an epoch that is not over has come to, beside the state of network and optimiser.

    Attributes:
        clock: The training clock when the epoch began.
        sums: Summed loss, wrong predictions and images so far, on the device.
        step: Steps done, which is also the position in the data.
        at_start: Gradient norms before the first update, in the first epoch.
        gradients: Gradient norms of the last step, once that is done.
        layers_at_start: What a :class:`LayerProbe` measured in the first step of all.
        layers: The same of the last step of all, once that is done.
    """

    clock: float
    sums: Tensor
    step: int = 0
    at_start: dict[str, Tensor] = field(default_factory=dict)
    gradients: dict[str, Tensor] = field(default_factory=dict)
    layers_at_start: dict[str, Tensor] = field(default_factory=dict)
    layers: dict[str, Tensor] = field(default_factory=dict)


class Trainer:
    """A trial in progress.

    Args:
        trial: What to train.
        execution: Settings that change rounding only.
        resources: Threads, and whether on a GPU.
        team: Those who train it together. Each makes one of these and runs it; only rank 0's is looked at.

    Attributes:
        layers: What each layer measured in the epoch that came last: in epoch 0 and in the last one, else None.

    Raises:
        HarnessError: The data is not at hand or differs from the trial's fingerprint, or the device is missing.
    """

    def __init__(self, trial: Trial, execution: Execution, resources: Resources, team: ProcessGroup = ALONE) -> None:
        self.trial, self.recipe, self.execution, self.team = trial, trial.recipe, execution, team
        self.device = choose_device(resources, trial.recipe.precision)
        self.memory_format = configure_process(self.device, execution, trial.recipe, resources.cpus)
        self.threads = resources.cpus
        reset_peak_memory(self.device)
        self.devices = team.named(device_name(self.device, resources.cpus))
        self.clocks = Timers(self.device)

        workers = resources.cpus if resources.cpus > 1 else 0
        splits = load_splits(trial.data, trial.recipe.augment, workers).to(self.device)
        parts = {"train": splits.train, "val": splits.val, "test": splits.test}
        self.splits = {
            name: BatchLoader(part, splits, self.memory_format, self.device)
            for name, part in parts.items()
            if len(part)
        }
        self.steps = steps_per_epoch(len(splits.train), self.recipe.batch)

        self.network = build(trial.variant, trial.seed, self.device).to(memory_format=self.memory_format)
        if self.recipe.sync_norm:
            self.network = nn.SyncBatchNorm.convert_sync_batchnorm(self.network)
        if execution.compile:
            # torch compiles so many networks of a process and runs the others as they are, without a word.
            torch.compiler.reset()
            self.network.compile()
        self.model = team.wrapped(self.network, self.device)
        self.frozen = trial.variant.weights is not None and trial.variant.weights.freeze == "body"
        self.optimiser = optimiser(self.recipe, (p for p in self.network.parameters() if p.requires_grad))
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.recipe.precision == "fp16")
        self.gradients = GradientNorms(self.network)
        self.probe = LayerProbe(self.network, responses=not execution.compile)
        self.layers: LayerProfile | None = None
        self.epochs_done = 0
        self.under_way: EpochState | None = None
        self.diverged = False
        self._batches: Iterator[tuple[Tensor, Tensor]] | None = None

    @property
    def position(self) -> tuple[int, int]:
        """(epochs done, steps done in the next)."""
        return self.epochs_done, self.under_way.step if self.under_way else 0

    def run(self, pause: Callable[[], Pause] = lambda: "no") -> Iterator[tuple[int, Metrics] | None]:
        """(epoch, metrics) after each epoch that is left; epoch 0 comes first, measured before the first update.

        Ends early, as a result and not as a crash, once the loss is not finite.

        Args:
            pause: Asked after every step. Where it wants a pause, None is yielded: :meth:`state` may be taken,
                and a trial that is to stop is left there.
        """
        pause = self.team.agreed(pause)
        for epoch in range(self.epochs_done + 1, self.recipe.epochs + 1):
            while not self._train(epoch, pause):
                yield None
            while (evaluated := self.evaluate_if_due(epoch, pause)) is None:
                yield None
            for row in self.end_epoch(epoch, evaluated):
                self.layers = row.layers
                yield row.epoch, row.metrics
            if self.diverged:
                return

    def end_epoch(self, epoch: int, evaluated: Metrics) -> list[EpochResult]:
        """What an epoch that was trained whole came to; with the first comes what was before its first update."""
        assert self.under_way is not None
        under_way, self.under_way = self.under_way, None
        rows = []
        if under_way.at_start:
            rows.append(EpochResult(0, _numbers(under_way.at_start), profile(under_way.layers_at_start)))
        seconds = self.clocks.seconds["train"] - under_way.clock
        metrics = self._metrics(under_way, epoch) | evaluated
        metrics |= {f"time/{name}_s": value for name, value in self.clocks.seconds.items()}
        metrics |= {"time/epoch_s": seconds, "time/images_per_s": len(self.splits["train"]) / seconds}
        self.epochs_done = epoch
        return [*rows, EpochResult(epoch, metrics, profile(under_way.layers))]

    def _metrics(self, under_way: EpochState, epoch: int) -> Metrics:
        """Of an epoch that was trained whole."""
        rates = _rates("train/loss", "train/error", under_way.sums)
        lr = learning_rate(self.recipe, epoch * self.steps - 1, self.steps)
        return rates | _numbers(under_way.gradients) | {"optim/lr": lr}

    def _train(self, epoch: int, pause: Callable[[], Pause]) -> bool:
        """Train to the end of an epoch (True) or to the next pause in it; sums stay on the device meanwhile."""
        with self.clocks("train"):
            if self.under_way is None:
                sums = torch.zeros(3, device=self.device, dtype=torch.float64)
                self.under_way = EpochState(self.clocks.seconds["train"], sums)
            if self._batches is None:
                steps = range(self.under_way.step, self.steps)
                train = self.splits["train"]
                self._batches = train.epoch(self.recipe, self.trial.seed, epoch, steps, self.team.share)
            self.model.train()
            if self.frozen:
                eval_norms(self.network)
            for images, labels in self._batches:
                self._step(images, labels, (epoch - 1) * self.steps + self.under_way.step, self.under_way)
                self.under_way.step += 1
                if self.under_way.step < self.steps and pause() != "no":
                    self.team.hand_over(self.under_way.sums)
                    return False
            self._batches = None
            self.team.add_up(self.under_way.sums)
            return True

    def _step(self, images: Tensor, labels: Tensor, step: int, under_way: EpochState) -> None:
        """One update, from the gradient of the whole batch."""
        lr = learning_rate(self.recipe, step, self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.optimiser.zero_grad(set_to_none=True)
        first, last = step == 0, step == self.recipe.epochs * self.steps - 1
        with self.probe.listening() if first or last else nullcontext():
            self._backward(images, labels, step, under_way)
        if self.scaler.is_enabled():
            self.scaler.unscale_(self.optimiser)
        # Before clipping, which would hide what is looked for.
        self.measure(step)
        if self.recipe.clip_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_grad_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def measure(self, step: int) -> None:
        """Keep norms of the gradients as they stand, and what the probe heard, where that is of interest."""
        assert self.under_way is not None
        under_way, first, last = self.under_way, step == 0, step == self.recipe.epochs * self.steps - 1
        if first or under_way.step == self.steps - 1:
            under_way.gradients = self.gradients.measure()
        if first or last:
            under_way.layers = self.probe.measure()
        if first:
            under_way.at_start, under_way.layers_at_start = under_way.gradients, under_way.layers
            if not last:
                under_way.layers = {}

    def _backward(self, images: Tensor, labels: Tensor, step: int, under_way: EpochState) -> None:
        """The gradient of the whole batch, from its parts: of this worker, whose backward pass averages over all."""
        whole = min(self.recipe.batch, len(self.splits["train"]) - under_way.step * self.recipe.batch)
        workers = self.team.share.workers if len(labels) < whole else 1
        parts = list(micro_batches(images, labels, self.recipe.micro_batch))
        for number, (part, targets) in enumerate(parts):
            if self.trial.variant.random:
                # Dropout draws from torch's default generators: set anew at each step, they have no state to lose.
                torch.manual_seed(stream_seed(self.trial.seed, "network", step, number, *self.team.stream))
            # Workers average once a step, when the gradients of their parts have been added up.
            with self.team.quiet(self.model, number < len(parts) - 1):
                with self._autocast():
                    logits = self.model(part)
                    loss = F.cross_entropy(logits, targets, label_smoothing=self.recipe.label_smoothing)
                if workers > 1 or self.team.leads:
                    under_way.sums += sums_of(logits.detach(), targets, loss.detach() * len(targets))
                share = workers * len(targets) / whole
                self.scaler.scale(loss if share == 1 else loss * share).backward()

    def evaluate_if_due(self, epoch: int, pause: Callable[[], Pause]) -> Metrics | None:
        """What evaluation gives (nothing where it is not due); None where the trial is to stop in its middle."""
        assert self.under_way is not None
        last = epoch == self.recipe.epochs
        loss = float(self.under_way.sums[0])
        self.diverged = not math.isfinite(loss)
        if not (self.diverged or last or epoch % self.execution.evaluate_every == 0):
            return {}
        with self.clocks("eval"):
            evaluated = self._evaluate(pause)
        # The last update may be the one that diverges: no later step would show it.
        if evaluated and last:
            self.diverged |= not all(map(math.isfinite, evaluated.values()))
        return evaluated

    @torch.inference_mode()
    def _evaluate(self, pause: Callable[[], Pause]) -> Metrics | None:
        """Errors and losses in eval mode on un-augmented images; of training they are called clean.

        It has no state worth saving: a trial that stops in it evaluates anew.
        """
        self.network.eval()
        self.team.share_buffers(self.network)
        metrics: Metrics = {}
        for name, batches in self.splits.items():
            sums = torch.zeros(3, device=self.device, dtype=torch.float64)
            for images, labels in batches.in_order(self.team.share):
                if pause() == "stop":
                    return None
                with self._autocast():
                    logits = self.network(images)
                    loss = F.cross_entropy(logits, labels, reduction="sum")
                sums += sums_of(logits, labels, loss)
            self.team.add_up(sums)
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
            "under_way": None if self.under_way is None else asdict(self.under_way),
            "seconds": dict(self.clocks.seconds),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned; the results are those of an uninterrupted run, bit for bit."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.epochs_done = state["epochs_done"]
        self.under_way = None if state["under_way"] is None else EpochState(**state["under_way"])
        if self.under_way is not None and not self.team.leads:
            # They are of all workers, and rank 0 has them.
            self.under_way.sums.zero_()
        self.clocks.seconds = dict(state["seconds"])

    def memory(self) -> dict[str, int]:
        """Bytes that it took at most, in this process, and that the device has: of a CPU, of the machine.

        Of a GPU what torch has reserved, which is what others can not have; without the few hundred MB of its context.
        """
        return peak_memory(self.device)

    def provenance(self) -> dict[str, Any]:
        """Device, software and settings, for the record."""
        described = describe_device(self.device, self.memory_format, self.threads) | {"device": self.devices}
        kernels = "deterministic" if self.execution.deterministic else "autotuned"
        described["kernels"] = kernels + ", compiled" * self.execution.compile
        return described | {"precision": self.recipe.precision, "execution": self.execution.model_dump(mode="json")}


def eval_norms(network: nn.Module) -> None:
    """BatchNorms of a frozen body keep the statistics that they came with."""
    for norm in (m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)):
        norm.eval()


def micro_batches(images: Tensor, labels: Tensor, size: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    """A batch in parts of ``size`` whose gradients add up to one update; a single left-over image joins a part."""
    if size is None or len(labels) <= size:
        yield images, labels
        return
    whole, left = divmod(len(labels), size)
    sizes = [size] * whole + [left] * (left > 0)
    if left == 1:
        # BatchNorm has no variance of a single value.
        sizes[-2:] = [size + 1]
    yield from zip(images.split(sizes), labels.split(sizes), strict=True)


def sums_of(logits: Tensor, labels: Tensor, loss: Tensor) -> Tensor:
    """(summed loss, wrong predictions, images) of a batch, on the device; a row for each seed where there are several.

    Args:
        logits: (images, classes), or (images, seeds, classes).
        loss: Summed over the images: (), or (seeds,).
    """
    wrong = (logits.argmax(-1) != labels).sum(0)
    return torch.stack([loss.double(), wrong.double(), torch.full_like(wrong, len(labels)).double()], -1)


def _rates(loss: str, error: str, sums: Tensor) -> Metrics:
    """Mean loss, and error in percent."""
    total, wrong, images = sums.tolist()
    return {loss: total / images, error: 100 * wrong / images}


def _numbers(tensors: dict[str, Tensor]) -> Metrics:
    return {key: float(value) for key, value in tensors.items()}
