"""The torch module of each kind of layer in a layer plan."""

from __future__ import annotations

from functools import singledispatch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.specs import Variant
from harness.specs.network.layers import Act, Conv, Layer, Linear, MaxPool, Norm, Pad, Scale, SqueezeExcite


def activation(name: str) -> nn.Module:
    """Return the activation with this name; it works in place if its gradient does not need the input."""
    return {"relu": nn.ReLU(inplace=True), "gelu": nn.GELU(), "silu": nn.SiLU(inplace=True)}[name]


class PadShortcut(nn.Module):
    """Option A shortcut: every ``stride``-th pixel, followed by channels of zeros; no parameters."""

    def __init__(self, channels_added: int, stride: int) -> None:
        super().__init__()
        self.channels_added, self.stride = channels_added, stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C + added, ceil(H / stride), ceil(W / stride))."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.channels_added))


class SqueezeExciteBlock(nn.Module):
    """Squeeze-and-excitation: multiplies each channel by a weight in (0, 1) (Hu et al. 2018, eq. 2 to 4).

    The weights are computed from the averages of all channels.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        weights = torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3))))))
        return x * weights[:, :, None, None]


class BranchScale(nn.Module):
    """A learnable factor on a residual branch (Bachlechner et al. 2020, eq. 1)."""

    def __init__(self, initial: float) -> None:
        super().__init__()
        self.initial = initial
        self.factor = nn.Parameter(torch.tensor(initial))

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        return x * self.factor


def group_count(channels: int) -> int:
    """Return the number of groups of a GroupNorm: the largest divisor up to 32 with at least 4 channels in a group."""
    return max((n for n in range(1, 33) if channels % n == 0 and channels // n >= 4), default=1)


@singledispatch
def build_module(layer: Layer, variant: Variant) -> nn.Module:
    """Return the torch module that computes a layer of a variant."""
    raise TypeError(
        f"there is no module for layers of type {type(layer).__name__}: register one in harness/models/modules.py"
    )


@build_module.register
def _conv(layer: Conv, variant: Variant) -> nn.Module:
    return nn.Conv2d(
        layer.input[0],
        layer.channels,
        layer.kernel,
        layer.stride,
        padding=layer.kernel // 2,
        groups=layer.groups,
        bias=False,
    )


@build_module.register
def _norm(layer: Norm, variant: Variant) -> nn.Module:
    channels = layer.input[0]
    return nn.BatchNorm2d(channels) if variant.norm == "batch" else nn.GroupNorm(group_count(channels), channels)


@build_module.register
def _act(layer: Act, variant: Variant) -> nn.Module:
    return activation(variant.activation)


@build_module.register
def _max_pool(layer: MaxPool, variant: Variant) -> nn.Module:
    return nn.MaxPool2d(kernel_size=3, stride=2, padding=1)


@build_module.register
def _pad(layer: Pad, variant: Variant) -> nn.Module:
    return PadShortcut(layer.channels - layer.input[0], layer.stride)


@build_module.register
def _squeeze_excite(layer: SqueezeExcite, variant: Variant) -> nn.Module:
    return SqueezeExciteBlock(layer.input[0], layer.hidden)


@build_module.register
def _scale(layer: Scale, variant: Variant) -> nn.Module:
    return BranchScale(layer.initial)


@build_module.register
def _linear(layer: Linear, variant: Variant) -> nn.Module:
    return nn.Linear(layer.input[0], layer.classes)
