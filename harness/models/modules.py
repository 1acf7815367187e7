"""Each layer of the plan as a torch module."""

from __future__ import annotations

from functools import singledispatch

import torch.nn.functional as F
from torch import Tensor, nn

from harness.specs.layers import Conv, Layer, Linear, MaxPool, Norm, Pad


def activation(name: str) -> nn.Module:
    """The activation of that name; in place where that saves memory and harms no gradient."""
    return {"relu": nn.ReLU(inplace=True), "gelu": nn.GELU(), "silu": nn.SiLU(inplace=True)}[name]


class PadShortcut(nn.Module):
    """Option A shortcut: every ``stride``-th pixel, zero channels appended; no parameters."""

    def __init__(self, channels_added: int, stride: int) -> None:
        super().__init__()
        self.channels_added, self.stride = channels_added, stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + added, ceil(H / stride), ceil(W / stride))."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.channels_added))


def group_count(channels: int) -> int:
    """Groups of a GroupNorm: the most that divide ``channels``, up to 32 and with at least 4 channels each."""
    return max((n for n in range(1, 33) if channels % n == 0 and channels // n >= 4), default=1)


@singledispatch
def module(layer: Layer, norm: str) -> nn.Module:
    """The torch module that computes ``layer``; ``norm`` is ``batch`` or ``group``."""
    raise TypeError(f"no module for {type(layer).__name__}: register one in harness/models/modules.py")


@module.register
def _conv(layer: Conv, norm: str) -> nn.Module:
    return nn.Conv2d(layer.input[0], layer.channels, layer.kernel, layer.stride, padding=layer.kernel // 2, bias=False)


@module.register
def _norm(layer: Norm, norm: str) -> nn.Module:
    channels = layer.input[0]
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.GroupNorm(group_count(channels), channels)


@module.register
def _max_pool(layer: MaxPool, norm: str) -> nn.Module:
    return nn.MaxPool2d(kernel_size=3, stride=2, padding=1)


@module.register
def _pad(layer: Pad, norm: str) -> nn.Module:
    return PadShortcut(layer.channels - layer.input[0], layer.stride)


@module.register
def _linear(layer: Linear, norm: str) -> nn.Module:
    return nn.Linear(layer.input[0], layer.classes)
