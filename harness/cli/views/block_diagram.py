"""A block of the layer plan, drawn in characters."""

from __future__ import annotations

from itertools import zip_longest

from harness.specs.network.layer_plan import Block
from harness.specs.network.layers import Act, Conv, Layer, MaxPool, Norm, Pad, Scale, Shape, SqueezeExcite


def describe_layer(layer: Layer, activation: str) -> str:
    """What a layer does, in few words."""
    match layer:
        case Conv():
            groups = f", {layer.groups} groups" if layer.groups > 1 else ""
            return f"{layer.kernel}x{layer.kernel} conv, {layer.channels}{groups}" + f", /{layer.stride}" * (
                layer.stride > 1
            )
        case Norm():
            return "norm" if layer.initial else "norm, from 0"
        case Act():
            return activation
        case MaxPool():
            return "3x3 max pool, /2"
        case Pad():
            return f"every {layer.stride}nd pixel, " * (layer.stride > 1) + f"zeros to {layer.channels}"
        case SqueezeExcite():
            return f"squeeze-excite, {layer.input[0]}-{layer.hidden}-{layer.input[0]}"
        case Scale():
            return f"x learnable factor, from {layer.initial:g}"
    return type(layer).__name__.lower()


def shape(of: Shape) -> str:
    """A shape as channels x height x width."""
    return "x".join(map(str, of))


def block_diagram(block: Block, activation: str) -> list[str]:
    """Lines of a drawing: the main path on the left, the shortcut on the right, joined by a sum."""
    layers = list(block.layers())
    lines = [shape(layers[0].input)]
    lines += ["│", *(describe_layer(layer, activation) for layer in block.before)]
    main = [describe_layer(layer, activation) for layer in block.main]
    if block.shortcut is None:
        lines += ["│", *main]
    else:
        side = [describe_layer(layer, activation) for layer in block.shortcut] or ["│", "identity", "│"]
        width = max(map(len, main))
        half = len(main) // 2 - len(side) // 2
        side = ["│"] * max(half, 0) + side
        side += ["│"] * (len(main) - len(side))
        reach = width + 3
        lines.append("├" + "─" * (reach - 1) + "╮")
        lines += [f"{left:<{reach}}{right}" for left, right in zip_longest(main, side, fillvalue="│")]
        lines.append("+" + "─" * (reach - 1) + "╯")
        if block.survival < 1:
            lines.append(f"(an image takes the left path with probability {block.survival:.3f} in training)")
    lines += [describe_layer(layer, activation) for layer in block.after]
    return [*lines, "│", shape(block.output)]
