"""The layer plan: a variant expanded into its layers with shapes, in the order of execution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from harness.errors import HarnessError
from harness.specs.network.layers import Act, Conv, Layer, Linear, MaxPool, Norm, Scale, Shape, SqueezeExcite
from harness.specs.network.shortcuts import SHORTCUTS
from harness.specs.network.variant import EXPANSION, Variant


@dataclass(frozen=True)
class Block:
    """One block: ``after(main(x) + shortcut(x))`` with ``x = before(input)``.

    Attributes:
        before: Norm and activation that both paths share in a pre-activated network; else empty.
        shortcut: None in a plain network; empty if the shortcut is the identity function.
        survival: Probability that an image takes the main path in training (stochastic depth).
    """

    name: str
    before: tuple[Layer, ...]
    main: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] | None
    after: tuple[Layer, ...]
    survival: float = 1.0

    @property
    def output(self) -> Shape:
        """Shape of the block's output."""
        return self.main[-1].output

    def layers(self) -> Iterator[Layer]:
        """Yield its layers in the order of execution, the main path before the shortcut."""
        return chain(self.before, self.main, self.shortcut or (), self.after)


@dataclass(frozen=True)
class LayerPlan:
    """All layers of a variant with shapes. The network is built from it, and costs are summed over it.

    Attributes:
        tail: Layers between the last block and the pooling: the last activation of a pre-activated network.
    """

    variant: Variant
    stem: tuple[Layer, ...]
    stages: tuple[tuple[Block, ...], ...]
    tail: tuple[Layer, ...]
    head: Linear

    def layers(self) -> Iterator[Layer]:
        """Yield every layer once, in order of execution."""
        return chain.from_iterable(layers for _, layers in self.parts())

    def parts(self) -> Iterator[tuple[str, tuple[Layer, ...]]]:
        """Yield (name, layers) of stem, stages and head, in order of execution."""
        yield "stem", self.stem
        for number, stage in enumerate(self.stages, start=1):
            yield f"stage {number}", tuple(layer for block in stage for layer in block.layers())
        yield "head", (*self.tail, self.head)

    @cached_property
    def params(self) -> int:
        """Number of trainable parameters."""
        return sum(layer.params for layer in self.layers())

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and linear layers for one image."""
        return sum(layer.macs for layer in self.layers())

    @cached_property
    def activations(self) -> int:
        """Output elements of convolutions and linear layers for one image."""
        return sum(layer.activations for layer in self.layers())

    def training_bytes(self, images: int, width: int = 4, copies: int = 3) -> int:
        """Return about the bytes that a training step needs, without the workspaces of kernels.

        These are the parameters and what the backward pass needs: the outputs of each convolution, its norm and its
        activation.

        Args:
            images: Images that go through the network at once.
            width: Bytes of an activation: 4, or 2 in bf16 and fp16.
            copies: Copies of the parameters, 4 bytes each: weights, gradients, and the states of the optimiser (one
                of SGD with momentum, two of AdamW).
        """
        return 4 * self.params * copies + 3 * width * self.activations * images


def plan_layers(variant: Variant, size: int | tuple[int, int]) -> LayerPlan:
    """Return the layer plan of a variant for images of one size.

    Args:
        size: (height, width) in pixels, or one number for both.
    """
    height, width = (size, size) if isinstance(size, int) else size
    stem = _stem(variant, (variant.in_channels, height, width))
    shape = stem[-1].output
    stages = []
    total, done = sum(variant.blocks), 0
    for index, (count, channels) in enumerate(zip(variant.blocks, variant.stage_widths, strict=True)):
        stage = []
        for position in range(count):
            done += 1
            stride = 2 if index > 0 and position == 0 else 1
            # Linear decay of Huang et al. 2016 (arXiv 1603.09382), section 3: the last block is skipped most often.
            survival = 1 - variant.stochastic_depth * done / total
            block = _block(variant, index, position, shape, channels, stride, survival)
            stage.append(block)
            shape = block.output
        stages.append(tuple(stage))
    tail = (Norm("bn", shape), Act("act_last", shape)) if variant.preactivation else ()
    return LayerPlan(variant, stem, tuple(stages), tail, Linear("fc", shape, classes=variant.classes))


class ImageTooSmall(HarnessError):
    """The images are smaller than the total stride of a network, so its last stage would have no pixel."""


def require_input(variant: Variant, size: tuple[int, int]) -> None:
    """Refuse images that are smaller than the total stride of a network.

    Args:
        size: (height, width) in pixels.

    Raises:
        ImageTooSmall: A side is smaller than the total stride.
    """
    if min(size) < variant.stride:
        stem = "a stem of stride 4 and " if variant.stem == "imagenet" else ""
        raise ImageTooSmall(
            f"images of {size[0]}x{size[1]} pixels are too small for {variant.name}: {stem}{len(variant.blocks)} "
            f"stages need at least {variant.stride} pixels on each side",
            where="variants",
            remedy="Use larger images, a network with fewer stages, or stem: conv3x3.",
        )


def _stem(variant: Variant, image: Shape) -> tuple[Layer, ...]:
    kernel, stride = (7, 2) if variant.stem == "imagenet" else (3, 1)
    conv = Conv("conv1", image, channels=variant.widths[0], kernel=kernel, stride=stride)
    layers = (conv, Norm("bn1", conv.output), Act("act", conv.output))
    return layers if variant.stem == "conv3x3" else (*layers, MaxPool("maxpool", conv.output))


def _convs(variant: Variant, index: int, width: int, stride: int) -> list[tuple[int, int, int, int]]:
    """Return (channels, kernel, stride, groups) of each convolution of a block (He et al. 2015, fig. 5)."""
    out = EXPANSION[variant.block] * width
    if variant.block == "basic":
        return [(width, 3, stride, 1), (out, 3, 1, 1)]
    inner = width
    if variant.group_width is not None:
        # Xie et al. 2017 (arXiv 1611.05431), table 1: the stages widen the groups and keep their number.
        inner = max(variant.group_width * variant.widths[index] // variant.widths[0], 1) * variant.groups
    on_1x1 = variant.stride_on == "1x1"
    return [
        (inner, 1, stride if on_1x1 else 1, 1),
        (inner, 3, 1 if on_1x1 else stride, variant.groups),
        (out, 1, 1, 1),
    ]


def _block(
    variant: Variant, index: int, position: int, shape: Shape, width: int, stride: int, survival: float
) -> Block:
    """Return a block as in He et al. 2015, eq. 1 and 2; pre-activated as in He et al. 2016, fig. 1b."""
    name = f"layer{index + 1}.{position}"
    convs = _convs(variant, index, width, stride)
    before: list[Layer] = []
    main: list[Layer] = []
    planner = SHORTCUTS[variant.shortcut]
    shortcut = None if planner is None else planner(f"{name}.downsample", shape, convs[-1][0], stride)
    current = shape
    for number, (channels, kernel, step, groups) in enumerate(convs, start=1):
        conv = Conv(f"{name}.conv{number}", current, channels=channels, kernel=kernel, stride=step, groups=groups)
        last = number == len(convs)
        norm_shape = current if variant.preactivation else conv.output
        initial = 0.0 if variant.zero_init_last and last else 1.0
        norm = (Norm(f"{name}.bn{number}", norm_shape, initial), Act(f"{name}.act{number}", norm_shape))
        if not variant.preactivation:
            main += [conv, norm[0]] if last else [conv, *norm]
        elif number > 1 or (not shortcut and (index, position) != (0, 0)):
            main += [*norm, conv]
        else:
            # The stem has activated the input of the first block. A shortcut with layers shares the activation.
            before += norm if (index, position) != (0, 0) else ()
            main.append(conv)
        current = conv.output
    if variant.se_reduction is not None:
        main.append(SqueezeExcite(f"{name}.se", current, variant.se_reduction))
    if variant.residual_scale is not None:
        main.append(Scale(f"{name}.scale", current, variant.residual_scale))
    if not variant.preactivation:
        return Block(name, (), tuple(main), shortcut, (Act(f"{name}.act", current),), survival)
    # The next block begins with a norm, so a projection needs none.
    if shortcut is not None:
        shortcut = tuple(layer for layer in shortcut if not isinstance(layer, Norm))
    return Block(name, tuple(before), tuple(main), shortcut, (), survival)
