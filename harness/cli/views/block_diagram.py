"""A drawing of one block of a network in characters."""

from __future__ import annotations

from itertools import zip_longest

from harness.specs.network.layer_plan import Block
from harness.specs.network.layers import Act, Conv, Layer, MaxPool, Norm, Pad, Scale, Shape, SqueezeExcite


def draw_block(block: Block, activation: str) -> list[str]:
    """Return the lines of a drawing: the main path on the left, the shortcut on the right, their sum below.

    Args:
        activation: The name of the activation function.
    """
    layers = list(block.layers())
    lines = [format_shape(layers[0].input)]
    lines += ["│", *(_describe_layer(layer, activation) for layer in block.before)]
    main = [_describe_layer(layer, activation) for layer in block.main]
    if block.shortcut is None:
        lines += ["│", *main]
    else:
        shortcut = [_describe_layer(layer, activation) for layer in block.shortcut] or ["│", "identity", "│"]
        lines += _draw_paths(main, shortcut)
        if block.survival < 1:
            lines.append(f"(in training, an image takes the left path with probability {block.survival:.3f})")
    lines += [_describe_layer(layer, activation) for layer in block.after]
    return [*lines, "│", format_shape(block.output)]


def format_shape(shape: Shape | tuple[int, ...]) -> str:
    """Return a shape as ``channels x height x width``."""
    return "x".join(map(str, shape))


def _draw_paths(main: list[str], shortcut: list[str]) -> list[str]:
    """Draw two paths side by side, from their fork to their sum."""
    above = max(len(main) // 2 - len(shortcut) // 2, 0)
    right = ["│"] * above + shortcut
    right += ["│"] * (len(main) - len(right))
    width = max(map(len, main)) + 3
    return [
        "├" + "─" * (width - 1) + "╮",
        *(f"{left:<{width}}{side}" for left, side in zip_longest(main, right, fillvalue="│")),
        "+" + "─" * (width - 1) + "╯",
    ]


def _describe_layer(layer: Layer, activation: str) -> str:
    """Return what a layer does, in a few words."""
    match layer:
        case Conv():
            groups = f", {layer.groups} groups" if layer.groups > 1 else ""
            stride = f", /{layer.stride}" if layer.stride > 1 else ""
            return f"{layer.kernel}x{layer.kernel} conv, {layer.channels}{groups}{stride}"
        case Norm():
            return "norm" if layer.initial else "norm, from 0"
        case Act():
            return activation
        case MaxPool():
            return "3x3 max pool, /2"
        case Pad():
            stride = f"every {layer.stride}nd pixel, " if layer.stride > 1 else ""
            return f"{stride}zeros to {layer.channels}"
        case SqueezeExcite():
            return f"squeeze-excite, {layer.input[0]}-{layer.hidden}-{layer.input[0]}"
        case Scale():
            return f"x learnable factor, from {layer.initial:g}"
    return type(layer).__name__.lower()
