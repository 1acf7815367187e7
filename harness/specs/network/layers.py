"""The kinds of layers in a layer plan: the output shape, parameters and MACs of each.

Shapes are (channels, height, width) of one image. One MAC is one multiply-accumulate, and equals two FLOPs.
Only convolutions and linear layers count MACs, as in the counters of fvcore and torch (conv + linear).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TypeAlias

Shape: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: Prefix of the names of its parameters.
        input: Shape of its input.
    """

    name: str
    input: Shape

    @property
    def output(self) -> Shape:
        """Shape of its output."""
        return self.input

    @property
    def params(self) -> int:
        """Number of trainable parameters."""
        return 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return 0

    @property
    def activations(self) -> int:
        """Output elements for one image, of convolutions and linear layers only (Radosavovic et al. 2020)."""
        return prod(self.output) if self.macs else 0


@dataclass(frozen=True)
class Conv(Layer):
    """A square convolution without bias, padded by half of its kernel, in ``groups`` with separate channels."""

    channels: int
    kernel: int
    stride: int = 1
    groups: int = 1

    @property
    def output(self) -> Shape:
        return self.channels, *_strided(self.input, self.kernel, self.stride)

    @property
    def params(self) -> int:
        return self.channels * (self.input[0] // self.groups) * self.kernel**2

    @property
    def macs(self) -> int:
        return self.params * self.output[1] * self.output[2]


@dataclass(frozen=True)
class Norm(Layer):
    """A normalisation with a scale and a shift for each channel.

    Attributes:
        initial: Initial value of the scale.
    """

    initial: float = 1.0

    @property
    def params(self) -> int:
        return 2 * self.input[0]


@dataclass(frozen=True)
class Act(Layer):
    """The activation that the variant names."""


@dataclass(frozen=True)
class MaxPool(Layer):
    """3x3 max pooling with stride 2."""

    @property
    def output(self) -> Shape:
        return self.input[0], *_strided(self.input, 3, 2)


@dataclass(frozen=True)
class Pad(Layer):
    """Every ``stride``-th pixel, with channels of zeros after the existing channels."""

    channels: int
    stride: int

    @property
    def output(self) -> Shape:
        return self.channels, *_strided(self.input, 1, self.stride)


@dataclass(frozen=True)
class SqueezeExcite(Layer):
    """A weight for each channel from two linear layers on the channel averages (Hu et al. 2018, arXiv 1709.01507)."""

    reduction: int

    @property
    def hidden(self) -> int:
        """Number of units between the two linear layers."""
        return max(self.input[0] // self.reduction, 1)

    @property
    def params(self) -> int:
        return 2 * self.hidden * self.input[0] + self.hidden + self.input[0]

    @property
    def macs(self) -> int:
        return 2 * self.hidden * self.input[0]

    @property
    def activations(self) -> int:
        return self.hidden + self.input[0]


@dataclass(frozen=True)
class Scale(Layer):
    """One learnable factor for the whole residual branch (Bachlechner et al. 2020, arXiv 2003.04887)."""

    initial: float

    @property
    def params(self) -> int:
        return 1


@dataclass(frozen=True)
class Linear(Layer):
    """The classifier: a linear layer with bias on the channel averages."""

    classes: int

    @property
    def output(self) -> Shape:
        return self.classes, 1, 1

    @property
    def params(self) -> int:
        return self.classes * (self.input[0] + 1)

    @property
    def macs(self) -> int:
        return self.classes * self.input[0]


def _strided(shape: Shape, kernel: int, stride: int) -> tuple[int, int]:
    """Return height and width after a window of odd size ``kernel`` that is padded by half of it."""
    height, width = ((side + 2 * (kernel // 2) - kernel) // stride + 1 for side in shape[1:])
    return height, width
