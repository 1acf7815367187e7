"""What runs beside a block's convolutions: each shortcut type is one function that plans its layers.

To add a type, write a function here and enter it in :data:`SHORTCUTS`: the spec accepts the new name, the
network builds it and the costs count it. (A new kind of *layer* also needs its module in
``harness/models/modules.py``.)
"""

from __future__ import annotations

from collections.abc import Callable

from harness.specs.network.layers import Conv, Layer, Norm, Pad, Shape

Planner = Callable[[str, Shape, int, int], tuple[Layer, ...]]
"""``(name, input shape, output channels, stride) -> layers``; no layers means the identity itself."""


def identity(name: str, shape: Shape, channels: int, stride: int) -> tuple[Layer, ...]:
    """Option A of He et al. 2015, section 3.3: subsample, pad new channels with zeros; no parameters."""
    if stride == 1 and shape[0] == channels:
        return ()
    return (Pad(f"{name}.0", shape, channels=channels, stride=stride),)


def projection(name: str, shape: Shape, channels: int, stride: int) -> tuple[Layer, ...]:
    """Option B of He et al. 2015, section 3.3: a 1x1 convolution with norm where the shape changes."""
    if stride == 1 and shape[0] == channels:
        return ()
    return projection_everywhere(name, shape, channels, stride)


def projection_everywhere(name: str, shape: Shape, channels: int, stride: int) -> tuple[Layer, ...]:
    """Option C of He et al. 2015, section 3.3: a 1x1 convolution with norm beside every block."""
    conv = Conv(f"{name}.0", shape, channels=channels, kernel=1, stride=stride)
    return conv, Norm(f"{name}.1", conv.output)


SHORTCUTS: dict[str, Planner | None] = {
    "identity": identity,
    "projection": projection,
    "projection-everywhere": projection_everywhere,
    "none": None,
}
"""Shortcut types by name; ``none`` makes the plain twin: nothing is added to the block's output."""
OPTIONS = {"A": "identity", "B": "projection", "C": "projection-everywhere"}
"""The names of He et al. 2015, which a file may use too."""
