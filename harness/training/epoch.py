"""An epoch: its state while it is trained, its results, and the decision whether to pause in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from harness.specs.network.layer_profile import LayerProfile

Metrics = dict[str, float]
Pause = Literal["no", "save", "stop"]
"""A decision between two steps: train on, pause to save the state, or stop as soon as the state is saved."""
PauseCheck = Callable[[], Pause]


def never_pause() -> Pause:
    """Return the decision to train on."""
    return "no"


class EpochResult(NamedTuple):
    """The measurements of one epoch.

    Attributes:
        epoch: Its number. Epoch 0 holds the measurements before the first update.
        metrics: By key.
        layers: Measurements by layer; only in epoch 0 and in the last epoch.
    """

    epoch: int
    metrics: Metrics
    layers: LayerProfile | None


SlotResults = list[tuple[int, EpochResult]]
"""(slot, result) pairs in the order of slots; epochs of one slot in their order."""


@dataclass
class EpochState:
    """The state of an epoch that has begun, apart from the network and the optimiser.

    A checkpoint stores these fields under their names.

    Attributes:
        clock: Training seconds when the epoch began.
        sums: Loss, wrong predictions and images, each summed over the epoch so far; float64 (3,) on the device.
        step: Steps done, which is also the position in the data.
        at_start: Gradient norms of the trial's first step, before its update.
        gradients: Gradient norms of the epoch's last step.
        layers_at_start: Measurements of the trial's first step by :class:`LayerProbe`.
        layers: Measurements of the trial's last step by :class:`LayerProbe`.
    """

    clock: float
    sums: Tensor
    step: int = 0
    at_start: dict[str, Tensor] = field(default_factory=dict)
    gradients: dict[str, Tensor] = field(default_factory=dict)
    layers_at_start: dict[str, Tensor] = field(default_factory=dict)
    layers: dict[str, Tensor] = field(default_factory=dict)


def sum_batch(logits: Tensor, labels: Tensor, loss: Tensor) -> Tensor:
    """Return (loss, wrong predictions, images), each summed over a batch, as float64 (3,) on the device.

    Args:
        logits: (images, classes); for several seeds (images, seeds, classes).
        labels: (images,); for several seeds (images, seeds).
        loss: Summed over the images: (); for several seeds (seeds,), which gives sums of shape (seeds, 3).
    """
    wrong = (logits.argmax(-1) != labels).sum(0)
    return torch.stack([loss.double(), wrong.double(), torch.full_like(wrong, len(labels)).double()], -1)


def compute_mean_metrics(loss_key: str, error_key: str, sums: Tensor) -> Metrics:
    """Return the mean loss, and the error in percent, from the sums of :func:`sum_batch`."""
    loss, wrong, images = sums.tolist()
    return {loss_key: loss / images, error_key: 100 * wrong / images}
