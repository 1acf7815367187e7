"""Checks that an external network returns logits, as a trial will use it: in evaluation mode and in training mode."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harness.errors import HarnessError
from harness.models.auxiliary import split_output
from harness.specs import ExternalNetwork

CHECKED_IMAGES = 2
"""Images that a network is checked with. No batch, and no part of a batch, has fewer in training."""


def check_output(spec: ExternalNetwork, network: nn.Module, size: tuple[int, int]) -> None:
    """Check that the network maps two images to logits, in evaluation mode.

    Args:
        size: (height, width) of the images in pixels.

    Raises:
        HarnessError: The network raises, or its output is not a tensor of floats of shape (2, classes).
    """
    images = torch.zeros(CHECKED_IMAGES, spec.in_channels, *size)
    try:
        with torch.no_grad():
            logits = network.eval()(images)
    except Exception as error:
        raise HarnessError(
            f"{_name(spec)} does not accept images of {spec.in_channels}x{size[0]}x{size[1]}: {_first_line(error)}",
            where="variants",
            remedy="Use data with images of a size that the network accepts.",
        ) from error
    _require_logits(spec, logits, "")


def check_training(spec: ExternalNetwork, network: nn.Module, size: tuple[int, int]) -> None:
    """Check that the network can be trained: in training mode it maps images to finite logits that have a gradient.

    The network's buffers change, for example the statistics of BatchNorm.

    Args:
        size: (height, width) of the images in pixels.

    Raises:
        HarnessError: The network raises, its output is something else, or it has nothing to train.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not parameters:
        raise HarnessError(f"{_name(spec)} has no parameters to train", where="variants", remedy="Remove this network.")
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        batch = torch.randn(CHECKED_IMAGES, spec.in_channels, *size)
        network.train()
        if spec.weights is not None and spec.weights.freeze == "body":
            for norm in (m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)):
                norm.eval()
        try:
            output = network(batch)
            outputs = _require_training_output(spec, output)
            # The gradient of one parameter: those of all would double the memory.
            torch.autograd.grad([each.sum() for each in outputs], parameters[:1], allow_unused=True)
        except HarnessError:
            raise
        except Exception as error:
            raise HarnessError(
                f"{_name(spec)} cannot be trained on a batch of {CHECKED_IMAGES} images of "
                f"{spec.in_channels}x{size[0]}x{size[1]}: {_first_line(error)}",
                where="variants",
                remedy="Correct the network, or remove it. It works in evaluation mode, but not in training mode.",
            ) from error
        finally:
            network.eval()


def _require_training_output(spec: ExternalNetwork, output: Any) -> list[Tensor]:
    """Return the logits of the network and of its auxiliary classifiers.

    Raises:
        HarnessError: One of them is not what a loss needs.
    """
    parts = split_output(output) if spec.auxiliary_weight else [output]
    for part in parts:
        _require_logits(spec, part, " in training mode")
        if not torch.isfinite(part).all():
            raise HarnessError(
                f"{_name(spec)} returns values in training mode that are not finite, before the first update",
                where="variants",
                remedy="Use an initialisation or a normalisation that keeps the network's output finite.",
            )
        if not part.requires_grad:
            raise HarnessError(
                f"{_name(spec)} returns logits in training mode that do not depend on its trainable parameters",
                where="variants",
                remedy="Remove detach(), no_grad() or the like from its forward method.",
            )
    return list(parts)


def _require_logits(spec: ExternalNetwork, output: Any, mode: str) -> None:
    """Raise a HarnessError unless an output is a tensor of floats of shape (2, classes)."""
    returned = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if returned != (CHECKED_IMAGES, spec.classes):
        raise HarnessError(
            f"{_name(spec)} returns {returned} for two images{mode}, not logits of shape (2, {spec.classes})",
            where="variants",
            remedy="Let its forward method return one tensor of shape (N, classes)"
            + (" in training mode too." if mode else "."),
        )
    if not output.dtype.is_floating_point:
        raise HarnessError(
            f"{_name(spec)} returns values of type {str(output.dtype).removeprefix('torch.')}{mode}, not logits",
            where="variants",
            remedy="Let its forward method return floating-point numbers, before argmax or rounding.",
        )


def _name(spec: ExternalNetwork) -> str:
    return spec.name or spec.factory


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
