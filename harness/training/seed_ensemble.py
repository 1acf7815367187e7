"""Several seeds of one variant trained as one network, which fills a processor better than small ones in turn.

Each seed keeps a :class:`Trainer` with its random streams, its history and its checkpoint. Only the steps are taken for
all seeds at once, by a network whose groups of channels do not mix (:mod:`harness.models.seed_ensemble`). A step adds
the same numbers in another order: it is equal in float64 up to its last digits, and rounds differently in float32.
Which seeds are trained together is therefore an execution setting, which stays as it is once a trial has begun.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.models.seed_ensemble import merge_networks, split_by_seed
from harness.specs import Variant
from harness.training.diagnostics import LayerProbe, measure_spread_by_seed
from harness.training.epoch import EpochState, PauseCheck, sum_batch
from harness.training.loop import TrainingLoop
from harness.training.memory import split_into_micro_batches
from harness.training.optimisers import build_optimiser, learning_rate
from harness.training.timers import Timers
from harness.training.trainer import Trainer

STEP_COUNT = "step"
"""The key of an optimiser's state that counts steps. All seeds share its value."""


class SeedEnsemble(TrainingLoop):
    """The epochs of several trials that take their steps together.

    Args:
        trainers: By slot; their trials differ in their seeds alone (the split is one of them).
        live: The slots whose trials are recorded. The other slots are trained too, so that shapes and rounding stay
            those of the whole ensemble; their results are not reported.
    """

    def __init__(self, trainers: Sequence[Trainer], live: Sequence[int]) -> None:
        super().__init__(trainers, live)
        first = self.first
        assert isinstance(first.trial.variant, Variant)
        assert len({self.trainers[slot].position for slot in self.live}) == 1
        self.recipe, self.steps, self.seeds = first.recipe, first.steps, len(self.trainers)
        for trainer in self.trainers:
            _move_to_position(trainer, like=first)
        networks = [trainer.network for trainer in self.trainers]
        self.network = merge_networks(first.trial.variant, networks, first.memory_format)  # type: ignore[arg-type]
        self.network.train()
        self.optimiser = build_optimiser(self.recipe, self.network.parameters())
        self._seed_parameters = [
            [network.get_parameter(name) for network in networks] for name, _ in self.network.named_parameters()
        ]
        self._merge_optimiser_states()
        self.probe = LayerProbe(self.network, spread=lambda response: measure_spread_by_seed(response, self.seeds))
        self.timers = Timers(first.device)
        self._sums = torch.empty(0)
        self._batches: Iterator[tuple[Tensor, Tensor]] | None = None

    def train_epoch(self, epoch: int, pause: PauseCheck) -> bool:
        """Train all seeds to the end of the epoch (True) or to the next pause in it (False).

        Each live trial is charged an equal share of the wall time, so that the shares add up to it.
        """
        before = self.timers.seconds["train"]
        with self.timers.measure("train"):
            complete = self._take_steps(epoch, pause)
            self._split_optimiser_states()
        share = (self.timers.seconds["train"] - before) / len(self.live)
        for slot in self.live:
            self.trainers[slot].timers.seconds["train"] += share
        return complete

    def _take_steps(self, epoch: int, pause: PauseCheck) -> bool:
        if self._batches is None:
            for trainer in self.trainers:
                clock = trainer.timers.seconds["train"]
                trainer.epoch_state = trainer.epoch_state or EpochState(clock, torch.zeros(3, dtype=torch.float64))
            # Each seed's sums become a row of one tensor.
            self._sums = torch.stack([state.sums for state in self._epoch_states])
            for state, row in zip(self._epoch_states, self._sums, strict=True):
                state.sums = row
            self._batches = self._merge_batches(epoch, range(self._epoch_states[0].step, self.steps))
        for images, labels in self._batches:
            step = self._epoch_states[0].step
            self._step(images, labels, (epoch - 1) * self.steps + step)
            for state in self._epoch_states:
                state.step += 1
            if step + 1 < self.steps and pause() != "no":
                return False
        self._batches = None
        return True

    @property
    def _epoch_states(self) -> list[EpochState]:
        """The state of the present epoch, by slot."""
        return [trainer.epoch_state for trainer in self.trainers if trainer.epoch_state is not None]

    def _merge_batches(self, epoch: int, steps: range) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images (B, seeds * C, H, W) and labels (B, seeds): each seed's own batches, in its own order."""
        streams = [trainer.training_batches(epoch, steps) for trainer in self.trainers]
        for batches in zip(*streams, strict=True):
            images, labels = zip(*batches, strict=True)
            yield torch.cat(images, 1).contiguous(memory_format=self.first.memory_format), torch.stack(labels, 1)

    def _step(self, images: Tensor, labels: Tensor, step: int) -> None:
        """Update every seed once; measure and clip each seed's gradients, which are views of the merged ones."""
        for parameters in self.optimiser.param_groups:
            parameters["lr"] = learning_rate(self.recipe, step, self.steps)
        self.optimiser.zero_grad(set_to_none=True)
        with self.probe.record() if self.first.is_probed(step) else nullcontext():
            self._backward(images, labels)
        clip = self.recipe.clip_grad_norm
        if step == 0 or (step + 1) % self.steps == 0 or clip is not None:
            self._split_gradients()
            self.probe.split_by_seed([trainer.probe for trainer in self.trainers])
            for trainer in self.trainers:
                trainer.measure(step)
                if clip is not None:
                    torch.nn.utils.clip_grad_norm_(trainer.network.parameters(), clip)
                trainer.network.zero_grad(set_to_none=True)
        self.optimiser.step()

    def _backward(self, images: Tensor, labels: Tensor) -> None:
        for part, targets in split_into_micro_batches(images, labels, self.recipe.micro_batch):
            logits: Tensor = self.network(part)
            loss = F.cross_entropy(
                logits.flatten(0, 1),
                targets.flatten(),
                reduction="none",
                label_smoothing=self.recipe.label_smoothing,
            )
            # Each seed's loss is a mean over its images. The gradient of their sum is each seed's own gradient.
            seed_losses = loss.view(targets.shape).mean(0)
            self._sums += sum_batch(logits.detach(), targets, seed_losses.detach() * len(targets))
            (seed_losses * (len(targets) / len(labels))).sum().backward()

    def _split_gradients(self) -> None:
        """Let each seed's gradients be views of the merged network's gradients."""
        for merged, own_parameters in zip(self.network.parameters(), self._seed_parameters, strict=True):
            assert merged.grad is not None
            gradients = split_by_seed(merged.grad, own_parameters[0].shape, self.seeds)
            for own, gradient in zip(own_parameters, gradients, strict=True):
                own.grad = gradient

    def _merge_optimiser_states(self) -> None:
        """Set the merged optimiser's state from those of the trainers; one that has no state counts as zeros."""
        for merged, own_parameters in zip(self.network.parameters(), self._seed_parameters, strict=True):
            states = [t.optimiser.state.get(own, {}) for t, own in zip(self.trainers, own_parameters, strict=True)]
            for key, value in states[self.live[0]].items():
                if key == STEP_COUNT:
                    self.optimiser.state[merged][key] = value.clone()
                    continue
                merged_value = self.optimiser.state[merged][key] = torch.zeros_like(merged)
                parts = split_by_seed(merged_value, own_parameters[0].shape, self.seeds)
                for part, state in zip(parts, states, strict=True):
                    if key in state:
                        part.copy_(state[key])

    def _split_optimiser_states(self) -> None:
        """Set each trainer's optimiser state to its part of the merged one, as if it had taken the steps itself."""
        for merged, own_parameters in zip(self.network.parameters(), self._seed_parameters, strict=True):
            for key, value in self.optimiser.state[merged].items():
                shape = value.shape if key == STEP_COUNT else own_parameters[0].shape
                parts = split_by_seed(value, shape, self.seeds)
                for trainer, own, part in zip(self.trainers, own_parameters, parts, strict=True):
                    trainer.optimiser.state[own][key] = part
        for trainer in self.trainers:
            for own_group, group in zip(trainer.optimiser.param_groups, self.optimiser.param_groups, strict=True):
                own_group["lr"] = group["lr"]


def _move_to_position(trainer: Trainer, like: Trainer) -> None:
    """Set a trainer that is not live to the epoch and step of a live one; a live trainer is at that step already."""
    trainer.epochs_done = like.epochs_done
    if like.epoch_state is not None and trainer.epoch_state is None:
        trainer.epoch_state = EpochState(0.0, torch.zeros_like(like.epoch_state.sums), like.epoch_state.step)
