"""The selection of variants in an experiment's YAML file."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from harness.specs.experiment.contrasts import Depth
from harness.specs.identity import Spec
from harness.specs.matching.match import Match
from harness.specs.network.external import NetworkKind
from harness.specs.network.shortcuts import PAPER_NAMES
from harness.specs.network.variant import Variant
from harness.specs.network.weights import OptionalWeights
from harness.text import Label, Line


class VariantSelection(Spec):
    """One entry of ``variants``.

    It selects one variant by name, every combination of a family's depths and shortcuts, or one external network.
    """

    field_models: ClassVar[dict[str, tuple[type[Spec], ...]]] = {"set": (Variant,)}
    """Models of fields that hold the fields of another spec, from which an error suggests names."""

    name: Line | None = Field(None, description="A named variant, such as resnet18 or cifar-plain56.")
    family: Line | None = Field(None, description="A family of variants/, combined with depth and shortcut.")
    depth: tuple[Depth, ...] = ()
    shortcut: tuple[Line, ...] = ()
    block: Literal["basic", "bottleneck"] | None = None
    kind: NetworkKind | None = Field(
        None,
        description="torchvision or timm (name is the name of a model there), or python (factory is a function of "
        "your own).",
    )
    factory: Line | None = Field(None, description="With kind python: package.module:function.")
    args: dict[str, Any] = Field({}, description="With kind: further arguments of the model or factory.")
    weights: OptionalWeights = Field(None, description="With kind: pretrained weights that the network starts from.")
    auxiliary_weight: float | None = Field(
        None,
        description="With kind torchvision: weight of the loss of auxiliary classifiers, where args has aux_logits.",
    )
    label: Annotated[Label, Field(min_length=1)] | None = Field(
        None, description="Name in reports, for a variant with kind or set."
    )
    set: dict[str, Any] = Field({}, description="Fields of the variant to change, such as widths.")

    match: Match | None = Field(None, description="Change the network until it costs the same as another one.")

    @field_validator("depth", "shortcut", mode="before")
    @classmethod
    def _accept_single_value(cls, value: Any) -> Any:
        # A tuple, because validation is strict.
        return tuple(value) if isinstance(value, list | tuple) else (value,)

    @field_validator("shortcut")
    @classmethod
    def _accept_paper_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(PAPER_NAMES.get(name, name) for name in value)

    @model_validator(mode="after")
    def _check_external_network(self) -> VariantSelection:
        if self.kind is None:
            if self.factory is not None or self.args or self.weights or self.auxiliary_weight is not None:
                raise ValueError(
                    "factory, args, auxiliary_weight and weights need kind; for weights of another variant write "
                    "set: {weights: FILE}"
                )
            return self
        needed, refused = ("factory", "name") if self.kind == "python" else ("name", "factory")
        if getattr(self, needed) is None or getattr(self, refused) is not None:
            raise ValueError(f"kind {self.kind} needs {needed}, and cannot be combined with {refused}")
        if self.family is not None or self.depth or self.shortcut or self.block or self.set:
            raise ValueError(
                f"kind {self.kind} can be combined only with {needed}, args, auxiliary_weight, weights, label and match"
            )
        return self

    @model_validator(mode="after")
    def _check_name_or_family(self) -> VariantSelection:
        if self.kind == "python":
            return self
        if (self.name is None) == (self.family is None):
            raise ValueError("give either name (for one variant) or family (with depth)")
        if self.family is not None and not self.depth:
            raise ValueError("family needs depth: one depth, or a list of depths")
        if self.name is not None and (self.depth or self.shortcut or self.block):
            raise ValueError("depth, shortcut and block need family; change the fields of a named variant with set")
        if self.label is not None and self.name is None:
            raise ValueError("label needs name or factory: a family has several variants")
        for field, values in (("depth", self.depth), ("shortcut", self.shortcut)):
            if len(set(values)) < len(values):
                raise ValueError(f"{field} contains the same value twice: remove one of the two")
        return self
