"""The spec of a network, and its one expansion, the layer plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from harness.errors import nearest
from harness.specs.identity import Spec
from harness.specs.layers import Conv, Layer, Linear, MaxPool, Norm, Shape
from harness.specs.shortcuts import SHORTCUTS
from harness.text import Label

Width = Annotated[int, Field(gt=0, le=65536)]
Blocks = Annotated[int, Field(gt=0, le=10_000)]
MOST_BLOCKS = 5_000
"""Of all stages: seconds to build. The deepest net of He et al. 2015 has 600."""

CONVS_PER_BLOCK = {"basic": 2, "bottleneck": 3}
EXPANSION = {"basic": 1, "bottleneck": 4}


class Variant(Spec):
    """A network of the residual family, or its plain twin (the same spec with ``shortcut: none``).

    Source: He et al. 2015, "Deep Residual Learning for Image Recognition" (arXiv 1512.03385).
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name", "family"})

    name: Label = Field("", description="What reports call it; not part of the identity.")
    family: Label = Field("", description="The YAML family it came from; not part of the identity.")
    stem: Literal["conv3x3", "imagenet"] = Field(
        description="conv3x3: one 3x3 convolution (CIFAR). imagenet: 7x7 with stride 2, then 3x3 max pooling."
    )
    block: Literal["basic", "bottleneck"] = Field(
        description="basic: two 3x3. bottleneck: 1x1, 3x3, 1x1 at four times the width; stride on the 3x3."
    )
    blocks: Annotated[tuple[Blocks, ...], Field(min_length=1, max_length=16)] = Field(
        description="Blocks in each stage. Every stage but the first halves the image."
    )
    widths: Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)] = Field(
        description="Channels of each stage's 3x3 convolutions."
    )
    shortcut: str = Field(description=f"One of {', '.join(SHORTCUTS)}; none makes the plain twin.")
    norm: Literal["batch", "group"] = Field("batch", description="batch, or group (Wu and He 2018).")
    activation: Literal["relu", "gelu", "silu"] = "relu"
    in_channels: Width = 3
    classes: Annotated[int, Field(gt=1, le=1_000_000)] = 1000

    @field_validator("shortcut")
    @classmethod
    def _known_shortcut(cls, value: str) -> str:
        if value not in SHORTCUTS:
            raise ValueError(f"there is no shortcut type '{value[:60]}'. {nearest(value, SHORTCUTS)}")
        return value

    @model_validator(mode="after")
    def _stages_agree(self) -> Variant:
        if len(self.blocks) != len(self.widths):
            raise ValueError(
                f"blocks has {len(self.blocks)} stages but widths has {len(self.widths)}: give both the same number"
            )
        if sum(self.blocks) > MOST_BLOCKS:
            raise ValueError(f"{sum(self.blocks):,} blocks are too many to be built: use at most {MOST_BLOCKS:,}")
        if self.shortcut == "identity" and any(a > b for a, b in self._width_changes()):
            raise ValueError("shortcut 'identity' can not shrink channels: let widths grow, or use 'projection'")
        return self

    def _width_changes(self) -> Iterator[tuple[int, int]]:
        out = [EXPANSION[self.block] * width for width in self.widths]
        return zip([self.widths[0], *out], out, strict=False)

    @property
    def depth(self) -> int:
        """Layers with weights on the main path: stem, convolutions of all blocks, classifier."""
        return 2 + CONVS_PER_BLOCK[self.block] * sum(self.blocks)

    @property
    def plain(self) -> bool:
        """True for a network without shortcuts."""
        return SHORTCUTS[self.shortcut] is None

    def plan(self, size: int | tuple[int, int]) -> LayerPlan:
        """The layers of this network for images of ``size`` (height and width, or one number for both)."""
        height, width = (size, size) if isinstance(size, int) else size
        return _expand(self, (self.in_channels, height, width))


@dataclass(frozen=True)
class Block:
    """Convolutions in a row, each with its norm, and the shortcut's layers.

    ``shortcut`` is None in a plain network, empty where the shortcut is the identity itself.
    """

    name: str
    main: tuple[tuple[Conv, Norm], ...]
    shortcut: tuple[Layer, ...] | None

    @property
    def output(self) -> Shape:
        """Shape of what the block returns."""
        return self.main[-1][1].output

    def layers(self) -> Iterator[Layer]:
        """Main path first, then the shortcut."""
        for conv, norm in self.main:
            yield conv
            yield norm
        yield from self.shortcut or ()


@dataclass(frozen=True)
class LayerPlan:
    """A variant expanded into its layers with shapes: the network is built from it, costs are summed over it."""

    variant: Variant
    stem: tuple[Layer, ...]
    stages: tuple[tuple[Block, ...], ...]
    head: Linear

    def layers(self) -> Iterator[Layer]:
        """Every layer once, in order of execution."""
        yield from self.stem
        for stage in self.stages:
            for block in stage:
                yield from block.layers()
        yield self.head

    @cached_property
    def params(self) -> int:
        """Trainable parameters."""
        return sum(layer.params for layer in self.layers())

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and linear layers for one image."""
        return sum(layer.macs for layer in self.layers())

    @cached_property
    def activations(self) -> int:
        """Output elements of convolutions and linear layers for one image."""
        return sum(layer.activations for layer in self.layers())


def _expand(variant: Variant, image: Shape) -> LayerPlan:
    stem = _stem(variant, image)
    shape = stem[-1].output
    stages = []
    for index, (count, width) in enumerate(zip(variant.blocks, variant.widths, strict=True)):
        stage = []
        for position in range(count):
            stride = 2 if index > 0 and position == 0 else 1
            block = _block(variant, f"layer{index + 1}.{position}", shape, width, stride)
            stage.append(block)
            shape = block.output
        stages.append(tuple(stage))
    return LayerPlan(variant, stem, tuple(stages), Linear("fc", shape, classes=variant.classes))


def _stem(variant: Variant, image: Shape) -> tuple[Layer, ...]:
    kernel, stride = (7, 2) if variant.stem == "imagenet" else (3, 1)
    conv = Conv("conv1", image, channels=variant.widths[0], kernel=kernel, stride=stride)
    norm = Norm("bn1", conv.output)
    if variant.stem == "conv3x3":
        return conv, norm
    return conv, norm, MaxPool("maxpool", norm.output)


def _block(variant: Variant, name: str, shape: Shape, width: int, stride: int) -> Block:
    """He et al. 2015, fig. 5. The stride is on the first 3x3, as in torchvision (bottleneck "v1.5")."""
    out = EXPANSION[variant.block] * width
    if variant.block == "basic":
        convs = [(width, 3, stride), (out, 3, 1)]
    else:
        convs = [(width, 1, 1), (width, 3, stride), (out, 1, 1)]
    main, here = [], shape
    for number, (channels, kernel, step) in enumerate(convs, start=1):
        conv = Conv(f"{name}.conv{number}", here, channels=channels, kernel=kernel, stride=step)
        main.append((conv, Norm(f"{name}.bn{number}", conv.output)))
        here = conv.output
    planner = SHORTCUTS[variant.shortcut]
    shortcut = None if planner is None else planner(f"{name}.downsample", shape, out, stride)
    return Block(name, tuple(main), shortcut)
