"""The spec of a network of the residual family."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from harness.errors import suggest_nearest
from harness.specs.identity import Spec
from harness.specs.network.shortcuts import OPTIONS, SHORTCUTS
from harness.specs.network.weights import OptionalWeights, identity_with_weights
from harness.text import Label

CONVS_PER_BLOCK = {"basic": 2, "bottleneck": 3}
EXPANSION = {"basic": 1, "bottleneck": 4}
"""Factor between a block's inner width and its output channels."""
Width = Annotated[int, Field(gt=0, le=65536)]
Blocks = Annotated[int, Field(gt=0, le=10_000)]
MOST_BLOCKS = 5_000
"""Of all stages: seconds to build. The deepest net of He et al. 2015 has 600."""
MOST_CHANNELS = 4 * 65536

NEEDS_SHORTCUT = {
    "zero_init_last": "each block's last norm would give zeros, and nothing else passes the block",
    "residual_scale": "it scales what is added to a shortcut",
    "stochastic_depth": "a block that is skipped would pass nothing on",
}
"""Fields that leave a plain network dead or mean nothing in it, and why."""


class Variant(Spec):
    """A network of the residual family, or its plain twin (the same spec with ``shortcut: none``).

    Source: He et al. 2015, "Deep Residual Learning for Image Recognition" (arXiv 1512.03385).
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name", "family"})
    kind: ClassVar[str] = "residual"

    name: Label = Field("", description="What reports call it; not part of the identity.")
    family: Label = Field("", description="The YAML family it came from; not part of the identity.")
    stem: Literal["conv3x3", "imagenet"] = Field(
        description="conv3x3: one 3x3 convolution (CIFAR). imagenet: 7x7 with stride 2, then 3x3 max pooling."
    )
    block: Literal["basic", "bottleneck"] = Field(
        description="basic: two 3x3. bottleneck: 1x1, 3x3, 1x1 at four times the width (He et al. 2015, fig. 5)."
    )
    blocks: Annotated[tuple[Blocks, ...], Field(min_length=1, max_length=16)] = Field(
        description="Blocks in each stage. Every stage but the first halves the image."
    )
    widths: Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)] = Field(
        description="Channels of each stage's 3x3 convolutions; the first is the stem's too."
    )
    shortcut: str = Field(
        description="identity (option A of He et al. 2015, section 3.3), projection (B: where shapes change), "
        "projection-everywhere (C); none makes the plain twin."
    )
    norm: Literal["batch", "group"] = Field("batch", description="batch, or group (Wu and He 2018).")
    activation: Literal["relu", "gelu", "silu"] = "relu"
    in_channels: Width = 3
    classes: Annotated[int, Field(gt=1, le=1_000_000)] = 1000
    stride_on: Literal["3x3", "1x1"] = Field(
        "3x3",
        description="Which convolution of a bottleneck halves the image: its first 1x1 (He et al. 2015, 'v1'), or "
        "the 3x3 ('v1.5', as torchvision and Goyal et al. 2017, arXiv 1706.02677).",
    )
    preactivation: bool = Field(
        False, description="Norm and activation before each convolution (He et al. 2016, arXiv 1603.05027)."
    )
    zero_init_last: bool = Field(
        False, description="Each block's last norm starts at scale 0 (Goyal et al. 2017, section 5.1)."
    )
    widening: Annotated[float, Field(gt=0, le=100)] = Field(
        1.0,
        description="Factor on every stage's width, not the stem's (Zagoruyko and Komodakis 2016, arXiv 1605.07146).",
    )
    groups: Annotated[int, Field(gt=0, le=4096)] = Field(
        1, description="Of a bottleneck's 3x3 convolution (cardinality of ResNeXt, Xie et al. 2017, arXiv 1611.05431)."
    )
    group_width: Width | None = Field(
        None,
        description="Channels of each group in the first stage; later stages' grow with their width. With groups: 1 "
        "the inner width of torchvision's wide ResNets.",
    )
    se_reduction: Annotated[int, Field(gt=0, le=4096)] | None = Field(
        None, description="Squeeze-and-excitation with this reduction ratio (Hu et al. 2018, arXiv 1709.01507)."
    )
    stochastic_depth: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="Probability with which an image skips the last block in training; it falls linearly to the first "
        "(Huang et al. 2016, arXiv 1603.09382). What is kept is scaled up, as in torchvision.",
    )
    residual_scale: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="Each block's branch gets a learnable factor that starts here; 0 is ReZero (Bachlechner et al. "
        "2020, arXiv 2003.04887).",
    )
    weights: OptionalWeights = Field(None, description="What it starts from in place of its initialisation.")

    @field_validator("shortcut", mode="before")
    @classmethod
    def _known_shortcut(cls, value: Any) -> Any:
        value = OPTIONS.get(value, value) if isinstance(value, str) else value
        if isinstance(value, str) and value not in SHORTCUTS:
            raise ValueError(f"there is no shortcut type '{value[:60]}'. {suggest_nearest(value, SHORTCUTS)}")
        return value

    @model_validator(mode="after")
    def _stages_agree(self) -> Variant:
        if len(self.blocks) != len(self.widths):
            raise ValueError(
                f"blocks has {len(self.blocks)} stages but widths has {len(self.widths)}: give both the same number"
            )
        if sum(self.blocks) > MOST_BLOCKS:
            raise ValueError(f"{sum(self.blocks):,} blocks are too many to be built: use at most {MOST_BLOCKS:,}")
        if max(self.stage_widths) > MOST_CHANNELS:
            raise ValueError(
                f"a stage would be {max(self.stage_widths):,} channels wide: use at most {MOST_CHANNELS:,}"
            )
        if self.shortcut == "identity" and any(a > b for a, b in self._width_changes()):
            raise ValueError("shortcut 'identity' can not shrink channels: let widths grow, or use 'projection'")
        return self

    @model_validator(mode="after")
    def _fields_agree(self) -> Variant:
        """Combinations that are dead, or that no network could have, are refused by name."""
        for field, why in NEEDS_SHORTCUT.items() if self.is_plain else ():
            if getattr(self, field) != type(self).model_fields[field].default:
                raise ValueError(f"{field} goes with a shortcut: without one {why}")
        if self.block == "basic":
            for field in ("groups", "group_width", "stride_on"):
                if getattr(self, field) != type(self).model_fields[field].default:
                    raise ValueError(f"{field} goes with block 'bottleneck': a basic block has no 1x1 convolutions")
        if self.groups > 1 and self.group_width is None:
            raise ValueError("groups needs group_width: the channels of each group in the first stage")
        if self.group_width is not None and self.widening != 1:
            raise ValueError("widening does not go with group_width, which sets the inner width itself: scale widths")
        if self.zero_init_last and self.preactivation:
            raise ValueError("zero_init_last does not go with preactivation: its blocks end in a convolution")
        if self.zero_init_last and self.residual_scale == 0:
            raise ValueError("zero_init_last and residual_scale 0 leave each branch without any gradient: use one")
        return self

    def identity(self) -> dict[str, Any]:
        """Without labels; of weights their content, not their place."""
        return identity_with_weights(super().identity(), self.weights)

    def with_content_hash(self) -> Variant:
        """The same with the hash of its weights.

        Raises:
            HarnessError: They cannot be read.
        """
        return self if self.weights is None else self.model_copy(update={"weights": self.weights.with_content_hash()})

    def _width_changes(self) -> Iterator[tuple[int, int]]:
        out = [EXPANSION[self.block] * width for width in self.stage_widths]
        return zip([self.widths[0], *out], out, strict=False)

    @property
    def stage_widths(self) -> tuple[int, ...]:
        """Channels of each stage's 3x3 convolutions, widened."""
        return tuple(max(round(width * self.widening), 1) for width in self.widths)

    @property
    def depth(self) -> int:
        """Layers with weights on the main path: stem, convolutions of all blocks, classifier."""
        return 2 + CONVS_PER_BLOCK[self.block] * sum(self.blocks)

    @property
    def stride(self) -> int:
        """Total: image pixels to one pixel before the pooling."""
        return (4 if self.stem == "imagenet" else 1) * 2 ** (len(self.blocks) - 1)

    @property
    def is_stochastic(self) -> bool:
        """Whether it draws random numbers in training."""
        return self.stochastic_depth > 0

    @property
    def is_plain(self) -> bool:
        """True for a network without shortcuts."""
        return SHORTCUTS[self.shortcut] is None
