"""Several seeds of one variant trained together: small networks fill a processor better in one than one by one.

Each seed is a :class:`Training` of its own, with its streams, its history and its checkpoint; only the steps are taken
for all of them at once, by a network whose groups do not mix (:mod:`harness.models.seed_ensemble`). A step is the same sums in
another order: equal to float64's last digits, while float32 rounds differently. In which company a seed is trained is
therefore an execution setting, and the company of a begun trial is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.models.seed_ensemble import merge_networks, split_by_seed
from harness.specs import Variant
from harness.training.diagnostics import LayerProbe, spread_of_each
from harness.training.distributed import Pause
from harness.training.optimisers import learning_rate, optimiser
from harness.training.timers import Timers
from harness.training.trainer import EpochResult, EpochState, Metrics, Trainer, micro_batches, sums_of

COUNT = "step"
"""Of an optimiser's state: how many steps were taken, which is the same for all."""


class SeedEnsemble:
    """The steps of several trainings that stand at one position, taken together.

    Args:
        trainings: By slot, of trials that differ in their seeds alone.
        recorded: The slots that count. The others are trained along, so that the shapes, and with them the rounding,
            stay those of the whole company; nobody looks at what they measure.

    Attributes:
        live: The slots that still count: a trial that diverges, or that is another process's by now, leaves.
    """

    def __init__(self, trainings: Sequence[Trainer], recorded: Sequence[int]) -> None:
        self.trainings, self.live = list(trainings), list(recorded)
        first = self.trainings[self.live[0]]
        assert isinstance(first.trial.variant, Variant)
        assert len({self.trainings[slot].position for slot in self.live}) == 1
        self.recipe, self.steps, self.seeds = first.recipe, first.steps, len(self.trainings)
        for training in self.trainings:
            _place(training, like=first)
        networks = [training.network for training in self.trainings]
        self.network = merge_networks(first.trial.variant, networks, first.memory_format)  # type: ignore[arg-type]
        self.network.train()
        self.optimiser = optimiser(self.recipe, self.network.parameters())
        self._owns = [
            [network.get_parameter(name) for network in networks] for name, _ in self.network.named_parameters()
        ]
        self._take_states()
        self.probe = LayerProbe(self.network, spread=lambda response: spread_of_each(response, self.seeds))
        self.clocks = Timers(first.device)
        self._sums = torch.empty(0)
        self._batches: Iterator[tuple[Tensor, Tensor]] | None = None

    @property
    def _first(self) -> Trainer:
        return self.trainings[self.live[0]]

    def leave(self, slot: int) -> None:
        """The trial of that slot counts no more, where it did."""
        self.live = [other for other in self.live if other != slot]

    def run(self, pause: Callable[[], Pause] = lambda: "no") -> Iterator[list[tuple[int, EpochResult]] | None]:
        """(slot, row) of all that count after each epoch that is left, in the order of slots; as :meth:`Training.run`.

        Whenever it yields, each training is as if it had come there by itself: its state may be taken.
        """
        for epoch in range(self._first.epochs_done + 1, self.recipe.epochs + 1):
            while not self._train(epoch, pause):
                yield None
            evaluated: dict[int, Metrics] = {}
            while missing := [slot for slot in self.live if slot not in evaluated]:
                found = self.trainings[missing[0]].evaluate_if_due(epoch, pause)
                if found is None:
                    yield None
                else:
                    evaluated[missing[0]] = found
            rows = [(slot, row) for slot in self.live for row in self.trainings[slot].end_epoch(epoch, evaluated[slot])]
            for training in self.trainings:
                training.epochs_done, training.under_way = epoch, None
            yield rows
            self.live = [slot for slot in self.live if not self.trainings[slot].diverged]
            if not self.live:
                return

    def _train(self, epoch: int, pause: Callable[[], Pause]) -> bool:
        """Train to the end of an epoch (True) or to the next pause in it."""
        before = self.clocks.seconds["train"]
        with self.clocks("train"):
            whole = self._steps(epoch, pause)
            self._hand_out_states()
        # The wall time of all is shared out among those that count: their sum is what it took.
        share = (self.clocks.seconds["train"] - before) / len(self.live)
        for slot in self.live:
            self.trainings[slot].clocks.seconds["train"] += share
        return whole

    def _steps(self, epoch: int, pause: Callable[[], Pause]) -> bool:
        if self._batches is None:
            for training in self.trainings:
                clock = training.clocks.seconds["train"]
                training.under_way = training.under_way or EpochState(clock, torch.zeros(3, dtype=torch.float64))
            self._sums = torch.stack([under_way.sums for under_way in self._under_way])
            for under_way, own in zip(self._under_way, self._sums, strict=True):
                under_way.sums = own
            self._batches = self._epoch(epoch, range(self._under_way[0].step, self.steps))
        for images, labels in self._batches:
            step = self._under_way[0].step
            self._step(images, labels, (epoch - 1) * self.steps + step)
            for under_way in self._under_way:
                under_way.step += 1
            if step + 1 < self.steps and pause() != "no":
                return False
        self._batches = None
        return True

    @property
    def _under_way(self) -> list[EpochState]:
        """Of every slot; the epoch has begun."""
        return [training.under_way for training in self.trainings if training.under_way is not None]

    def _epoch(self, epoch: int, steps: range) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (B, seeds * C, H, W) and labels (B, seeds): each seed's own batches, in its own order."""
        streams = [t.splits["train"].epoch(self.recipe, t.trial.seed, epoch, steps) for t in self.trainings]
        for batches in zip(*streams, strict=True):
            images, labels = zip(*batches, strict=True)
            yield torch.cat(images, 1).contiguous(memory_format=self._first.memory_format), torch.stack(labels, 1)

    def _step(self, images: Tensor, labels: Tensor, step: int) -> None:
        """One update of every seed; what is measured and clipped is each one's own affair, on views of the whole."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.recipe, step, self.steps)
        self.optimiser.zero_grad(set_to_none=True)
        first, last = step == 0, step == self.recipe.epochs * self.steps - 1
        with self.probe.listening() if first or last else nullcontext():
            self._backward(images, labels)
        clip = self.recipe.clip_grad_norm
        if first or (step + 1) % self.steps == 0 or clip is not None:
            self._lend_gradients()
            self.probe.hand_out([training.probe for training in self.trainings])
            for training in self.trainings:
                training.measure(step)
                if clip is not None:
                    torch.nn.utils.clip_grad_norm_(training.network.parameters(), clip)
                training.network.zero_grad(set_to_none=True)
        self.optimiser.step()

    def _backward(self, images: Tensor, labels: Tensor) -> None:
        for part, targets in micro_batches(images, labels, self.recipe.micro_batch):
            logits: Tensor = self.network(part)
            loss = F.cross_entropy(
                logits.flatten(0, 1),
                targets.flatten(),
                reduction="none",
                label_smoothing=self.recipe.label_smoothing,
            )
            # The loss of each seed is a mean over its images; their sum gives each its own gradient.
            each = loss.view(targets.shape).mean(0)
            self._sums += sums_of(logits.detach(), targets, each.detach() * len(targets))
            (each * (len(targets) / len(labels))).sum().backward()

    def _lend_gradients(self) -> None:
        for whole, owns in zip(self.network.parameters(), self._owns, strict=True):
            assert whole.grad is not None
            for own, part in zip(owns, split_by_seed(whole.grad, owns[0].shape, self.seeds), strict=True):
                own.grad = part

    def _take_states(self) -> None:
        """The optimiser goes on from the states of all; a training that only goes along may have none: zeros."""
        for whole, owns in zip(self.network.parameters(), self._owns, strict=True):
            states = [t.optimiser.state.get(own, {}) for t, own in zip(self.trainings, owns, strict=True)]
            for key, value in states[self.live[0]].items():
                if key == COUNT:
                    self.optimiser.state[whole][key] = value.clone()
                    continue
                joint = self.optimiser.state[whole][key] = torch.zeros_like(whole)
                for part, state in zip(split_by_seed(joint, owns[0].shape, self.seeds), states, strict=True):
                    if key in state:
                        part.copy_(state[key])

    def _hand_out_states(self) -> None:
        """Each training's optimiser holds its part, as if it had taken the steps itself."""
        for whole, owns in zip(self.network.parameters(), self._owns, strict=True):
            for key, value in self.optimiser.state[whole].items():
                shares = split_by_seed(value, value.shape if key == COUNT else owns[0].shape, self.seeds)
                for training, own, share in zip(self.trainings, owns, shares, strict=True):
                    training.optimiser.state[own][key] = share
        for training in self.trainings:
            for own_group, group in zip(training.optimiser.param_groups, self.optimiser.param_groups, strict=True):
                own_group["lr"] = group["lr"]


def _place(training: Trainer, like: Trainer) -> None:
    """Put a training that only goes along where the others are; one that counts is there already."""
    training.epochs_done = like.epochs_done
    if like.under_way is not None and training.under_way is None:
        training.under_way = EpochState(0.0, torch.zeros_like(like.under_way.sums), like.under_way.step)
