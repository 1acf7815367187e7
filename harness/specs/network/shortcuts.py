"""Shortcut types: each one is a function that returns the layers of a block's shortcut.

To add a type, write a function here and add it to :data:`SHORTCUTS`. The spec then accepts its name, the network
builds it and the costs count it. A new kind of *layer* also needs its module in ``harness/models/modules.py``.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.specs.network.layers import Conv, Layer, Norm, Pad, Shape

ShortcutPlanner = Callable[[str, Shape, int, int], tuple[Layer, ...]]
"""``(name, input shape, output channels, stride) -> layers``; no layers stand for the identity function."""


def identity(name: str, shape: Shape, channels: int, stride: int) -> tuple[Layer, ...]:
    """Return option A of He et al. 2015, section 3.3: subsampling and channels of zeros, without parameters."""
    if stride == 1 and shape[0] == channels:
        return ()
    return (Pad(f"{name}.0", shape, channels=channels, stride=stride),)


def projection(name: str, shape: Shape, channels: int, stride: int) -> tuple[Layer, ...]:
    """Return option B of He et al. 2015, section 3.3: a 1x1 convolution with norm if the shape changes."""
    if stride == 1 and shape[0] == channels:
        return ()
    return projection_everywhere(name, shape, channels, stride)


def projection_everywhere(name: str, shape: Shape, channels: int, stride: int) -> tuple[Layer, ...]:
    """Return option C of He et al. 2015, section 3.3: a 1x1 convolution with norm in every block."""
    conv = Conv(f"{name}.0", shape, channels=channels, kernel=1, stride=stride)
    return conv, Norm(f"{name}.1", conv.output)


SHORTCUTS: dict[str, ShortcutPlanner | None] = {
    "identity": identity,
    "projection": projection,
    "projection-everywhere": projection_everywhere,
    "none": None,
}
"""Shortcut types by name. With ``none`` nothing is added to the output of a block: the network is a plain twin."""
PAPER_NAMES = {"A": "identity", "B": "projection", "C": "projection-everywhere"}
"""The names in He et al. 2015, which a YAML file may use too."""
