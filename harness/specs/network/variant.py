"""The variant: the spec of a residual network, or of its plain twin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from harness.errors import suggest_nearest
from harness.specs.identity import Spec
from harness.specs.network.shortcuts import PAPER_NAMES, SHORTCUTS
from harness.specs.network.weights import OptionalWeights, identity_with_weights
from harness.text import Label

CONVS_PER_BLOCK = {"basic": 2, "bottleneck": 3}
EXPANSION = {"basic": 1, "bottleneck": 4}
"""Output channels of a block, divided by the width of its stage."""
Width = Annotated[int, Field(gt=0, le=65536)]
Blocks = Annotated[int, Field(gt=0, le=10_000)]
MOST_BLOCKS = 5_000
"""Limit on the blocks of all stages: this many take seconds to build. The deepest net of He et al. 2015 has 600."""
MOST_CHANNELS = 4 * 65536
"""Limit on the width of a stage."""

NEEDS_SHORTCUT = {
    "zero_init_last": "the output of each block would be zero",
    "residual_scale": "there is no addition whose branch it could scale",
    "stochastic_depth": "the output of a skipped block would be zero",
}
"""Fields that a plain network cannot have, and why not."""


class Variant(Spec):
    """A network of the residual family, or its plain twin (the same spec with ``shortcut: none``).

    Source: He et al. 2015, "Deep Residual Learning for Image Recognition" (arXiv 1512.03385).
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name", "family"})
    kind: ClassVar[str] = "residual"

    name: Label = Field("", description="Name in reports; not part of the identity.")
    family: Label = Field("", description="Its family in variants/; not part of the identity.")
    stem: Literal["conv3x3", "imagenet"] = Field(
        description="conv3x3: one 3x3 convolution (CIFAR). imagenet: a 7x7 convolution with stride 2, then 3x3 max "
        "pooling."
    )
    block: Literal["basic", "bottleneck"] = Field(
        description="basic: two 3x3 convolutions. bottleneck: 1x1, 3x3 and 1x1, with four times the width at the "
        "output (He et al. 2015, fig. 5)."
    )
    blocks: Annotated[tuple[Blocks, ...], Field(min_length=1, max_length=16)] = Field(
        description="Blocks in each stage. Every stage but the first halves the image."
    )
    widths: Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)] = Field(
        description="Channels of the 3x3 convolutions in each stage; the stem has the channels of the first stage."
    )
    shortcut: str = Field(
        description="identity (option A of He et al. 2015, section 3.3), projection (B: if the shape changes), "
        "projection-everywhere (C), or none (the plain twin)."
    )
    norm: Literal["batch", "group"] = Field("batch", description="BatchNorm, or GroupNorm (Wu and He 2018).")
    activation: Literal["relu", "gelu", "silu"] = "relu"
    in_channels: Width = 3
    classes: Annotated[int, Field(gt=1, le=1_000_000)] = 1000
    stride_on: Literal["3x3", "1x1"] = Field(
        "3x3",
        description="Which convolution of a bottleneck halves the image: its first 1x1 (He et al. 2015, 'v1'), or "
        "the 3x3 ('v1.5', as torchvision and Goyal et al. 2017, arXiv 1706.02677).",
    )
    preactivation: bool = Field(
        False, description="Norm and activation come before each convolution (He et al. 2016, arXiv 1603.05027)."
    )
    zero_init_last: bool = Field(
        False, description="The scale of the last norm in each block starts at 0 (Goyal et al. 2017, section 5.1)."
    )
    widening: Annotated[float, Field(gt=0, le=100)] = Field(
        1.0,
        description="Factor on the width of every stage, not of the stem (Zagoruyko and Komodakis 2016, arXiv "
        "1605.07146).",
    )
    groups: Annotated[int, Field(gt=0, le=4096)] = Field(
        1,
        description="Groups of the 3x3 convolution in a bottleneck (cardinality of ResNeXt, Xie et al. 2017, arXiv "
        "1611.05431).",
    )
    group_width: Width | None = Field(
        None,
        description="Channels of each group in the first stage; they grow with the width of later stages. With groups: "
        "1 it is the inner width, as in torchvision's wide ResNets.",
    )
    se_reduction: Annotated[int, Field(gt=0, le=4096)] | None = Field(
        None, description="Adds squeeze-and-excitation with this reduction ratio (Hu et al. 2018, arXiv 1709.01507)."
    )
    stochastic_depth: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="Probability that an image skips the last block in training; it falls linearly towards the first "
        "block (Huang et al. 2016, arXiv 1603.09382). Branches that are not skipped are scaled up, as in torchvision.",
    )
    residual_scale: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="The branch of each block gets a learnable factor with this initial value; 0 is ReZero "
        "(Bachlechner et al. 2020, arXiv 2003.04887).",
    )
    weights: OptionalWeights = Field(None, description="Pretrained weights that the network starts from.")

    @field_validator("shortcut", mode="before")
    @classmethod
    def _resolve_shortcut(cls, value: Any) -> Any:
        value = PAPER_NAMES.get(value, value) if isinstance(value, str) else value
        if isinstance(value, str) and value not in SHORTCUTS:
            raise ValueError(f"there is no shortcut type '{value[:60]}'. {suggest_nearest(value, SHORTCUTS)}")
        return value

    @model_validator(mode="after")
    def _stages_agree(self) -> Variant:
        if len(self.blocks) != len(self.widths):
            raise ValueError(
                f"blocks has {len(self.blocks)} entries and widths has {len(self.widths)}: give one entry for each "
                "stage in both"
            )
        if sum(self.blocks) > MOST_BLOCKS:
            raise ValueError(
                f"a network of {sum(self.blocks):,} blocks is too deep: use at most {MOST_BLOCKS:,} blocks"
            )
        if max(self.stage_widths) > MOST_CHANNELS:
            raise ValueError(
                f"a stage of {max(self.stage_widths):,} channels is too wide: use at most {MOST_CHANNELS:,} channels"
            )
        if self.shortcut == "identity" and any(a > b for a, b in self._width_changes()):
            raise ValueError(
                "shortcut 'identity' cannot reduce the number of channels: use widths that grow, or shortcut "
                "'projection'"
            )
        return self

    @model_validator(mode="after")
    def _fields_agree(self) -> Variant:
        """Refuse combinations of fields that give a network without gradients, or no network at all."""
        for field, why in NEEDS_SHORTCUT.items() if self.is_plain else ():
            if getattr(self, field) != type(self).model_fields[field].default:
                raise ValueError(f"{field} needs a shortcut: in a plain network {why}")
        if self.block == "basic":
            for field in ("groups", "group_width", "stride_on"):
                if getattr(self, field) != type(self).model_fields[field].default:
                    raise ValueError(f"{field} needs block 'bottleneck': a basic block has no 1x1 convolutions")
        if self.groups > 1 and self.group_width is None:
            raise ValueError("groups needs group_width, the channels of each group in the first stage: add it")
        if self.group_width is not None and self.widening != 1:
            raise ValueError(
                "widening and group_width both set the inner width: remove one of them, and change widths if needed"
            )
        if self.zero_init_last and self.preactivation:
            raise ValueError(
                "zero_init_last cannot be combined with preactivation: those blocks end with a convolution, not a norm"
            )
        if self.zero_init_last and self.residual_scale == 0:
            raise ValueError(
                "zero_init_last and residual_scale: 0 together give the branches no gradient: use only one"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """Return the fields that decide results; pretrained weights are identified by their content."""
        return identity_with_weights(super().identity(), self.weights)

    def with_content_hash(self) -> Variant:
        """Return a copy with the hash of its weights' file; the same variant if it has no weights.

        Raises:
            HarnessError: The file cannot be read.
        """
        return self if self.weights is None else self.model_copy(update={"weights": self.weights.with_content_hash()})

    def _width_changes(self) -> Iterator[tuple[int, int]]:
        """Yield (input channels, output channels) of each stage."""
        out = [EXPANSION[self.block] * width for width in self.stage_widths]
        return zip([self.widths[0], *out], out, strict=False)

    @property
    def stage_widths(self) -> tuple[int, ...]:
        """Channels of the 3x3 convolutions in each stage, with the factor ``widening``."""
        return tuple(max(round(width * self.widening), 1) for width in self.widths)

    @property
    def depth(self) -> int:
        """Number of layers with weights on the main path: stem, convolutions of all blocks, classifier."""
        return 2 + CONVS_PER_BLOCK[self.block] * sum(self.blocks)

    @property
    def stride(self) -> int:
        """Total stride: pixels of the image, along one side, for one pixel before the global pooling."""
        return (4 if self.stem == "imagenet" else 1) * 2 ** (len(self.blocks) - 1)

    @property
    def is_stochastic(self) -> bool:
        """Whether the network draws random numbers in training."""
        return self.stochastic_depth > 0

    @property
    def is_plain(self) -> bool:
        """Whether the network has no shortcuts."""
        return SHORTCUTS[self.shortcut] is None
