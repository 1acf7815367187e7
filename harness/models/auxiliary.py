"""The output of networks with auxiliary classifiers, and the loss of such an output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn


class Losses(NamedTuple):
    """The losses of a batch.

    Attributes:
        logits: (images, classes) of the network's own output.
        loss: Mean loss of the network's own output: what is recorded.
        total: The loss whose gradient trains the network, with the auxiliary classifiers.
    """

    logits: Tensor
    loss: Tensor
    total: Tensor


def split_output(output: Any) -> list[Any]:
    """Return the logits of the network, then those of its auxiliary classifiers."""
    if isinstance(output, tuple):
        return [part for part in output if part is not None]
    return [output]


def compute_losses(output: Any, labels: Tensor, label_smoothing: float, auxiliary_weight: float) -> Losses:
    """Return the cross-entropy of a network's output in training mode.

    Args:
        output: Logits (images, classes); with auxiliary classifiers a tuple of such tensors.
        labels: (images,).
        auxiliary_weight: Weight of the loss of each auxiliary classifier.
    """
    logits, *others = split_output(output)
    loss = total = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    for other in others:
        total = total + auxiliary_weight * F.cross_entropy(other, labels, label_smoothing=label_smoothing)
    return Losses(logits, loss, total)


@contextmanager
def with_auxiliary_classifiers(network: nn.Module) -> Iterator[None]:
    """Let a network in evaluation mode use its auxiliary classifiers, as in training, while the block runs."""
    switched = [module for module in network.modules() if getattr(module, "aux_logits", False)]
    for module in switched:
        # Not train(): its parts stay in evaluation mode, so BatchNorm accepts a single image.
        module.training = True
    try:
        yield
    finally:
        for module in switched:
            module.training = False
