"""Contrasts: the comparisons that an experiment declares before it runs. Each gets a verdict in the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from harness.errors import HarnessError, suggest_nearest
from harness.specs.experiment.interim_looks import DECLARED_SIDE, NON_INFERIORITY_SHARE
from harness.specs.experiment.targets import TimeToTarget
from harness.specs.identity import Spec
from harness.specs.matching.variant_names import find_names
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.variant import NEEDS_SHORTCUT, Variant
from harness.specs.number_types import Positive
from harness.text import Line

UNTRAINED_TOLERANCE = 0.05
"""By which share the loss and the error of an untrained trial may lie below those of guessing, by default."""
Depth = Annotated[int, Field(gt=0, le=1_000_000)]


class Degradation(Spec):
    """The degradation contrast: the deeper plain net trains worse, and the deeper residual net does not.

    He et al. 2015, fig. 1. It asks at equal shape: plain and residual networks have equal depths and widths. It tests
    three components on both training errors, with one difference per seed; see docs/statistics.md.
    """

    kind: Literal["degradation"]
    shallow: Depth
    deep: Depth
    margin: Positive = Field(
        description="Smallest change of interest, in percentage points: a residual change below it is not worse."
    )
    smallest_effect: Positive | None = Field(
        None, description="Smallest rise of the plain networks that is of interest (default: margin)."
    )
    margin_reason: Line = Field(
        "", max_length=500, description="Why margin and smallest_effect are what they are; the report quotes it."
    )
    family: Line | None = Field(
        None, description="Family of the four networks; needed if two families have these depths."
    )
    shortcut: Line | None = Field(
        None, description="Shortcut of the residual networks; needed if the experiment has several."
    )
    share: ClassVar[float] = 1.0
    """Share of the level for its claim. It is the whole level: if the claim is wrong, its opposite is right."""
    smallest_share: ClassVar[float] = NON_INFERIORITY_SHARE
    """Smallest share of the level at which a part of its claim is tested."""

    @model_validator(mode="after")
    def _two_depths(self) -> Degradation:
        if self.shallow >= self.deep:
            raise ValueError(f"shallow is {self.shallow} and deep is {self.deep}: shallow must be less than deep")
        return self

    def find_variants(self, variants: Sequence[AnyVariant]) -> dict[str, str]:
        """Return the names of the compared variants by role.

        The roles are plain_shallow, plain_deep, residual_shallow and residual_deep.

        Raises:
            HarnessError: The experiment has none or several variants for a role, or they differ in more than depth.
        """
        names_by_role = {}
        for kind, plain in (("plain", True), ("residual", False)):
            for role, depth in (("shallow", self.shallow), ("deep", self.deep)):
                names = [
                    v.name
                    for v in variants
                    if isinstance(v, Variant)
                    and v.depth == depth
                    and v.is_plain == plain
                    and self.family in (None, v.family)
                    and (plain or self.shortcut in (None, v.shortcut))
                ]
                if len(names) != 1:
                    selected = f"several: {', '.join(names)}" if names else "none"
                    raise HarnessError(
                        f"the degradation contrast needs one {kind} variant of depth {depth}, and the experiment has "
                        f"{selected}",
                        where="contrasts",
                        remedy="Add family and shortcut to the contrast." if names else "Add one to variants.",
                    )
                names_by_role[f"{kind}_{role}"] = names[0]
        compared = [v for v in variants if v.name in names_by_role.values() and isinstance(v, Variant)]
        residual = [v for v in compared if not v.is_plain]
        for field in Variant.model_fields.keys() - {*Variant.labels, "blocks", "shortcut"}:
            having_field = residual if field in NEEDS_SHORTCUT else compared
            if len({getattr(v, field) for v in having_field}) > 1:
                raise HarnessError(
                    f"the networks of the degradation contrast differ in {field}, not only in depth and shortcut",
                    where="contrasts",
                    remedy="Choose variants that differ only in blocks and shortcut.",
                )
        return names_by_role


class Difference(Spec):
    """The difference contrast: variant ``a`` has a lower or higher metric than ``b`` at equal seeds."""

    example: ClassVar[str] = "{kind: difference, a: resnet18, b: plain18}"

    kind: Literal["difference"]
    a: Line
    b: Line
    metric: Literal["test/error", "train/error", "train/error_clean"] = "test/error"
    side: Literal["less", "greater", "two-sided"] = Field(
        "less", description="Claimed side of the metric of a, compared with b."
    )
    smallest_effect: Positive = Field(0.5, description="Smallest effect of interest in percentage points.")
    margin_reason: Line = Field(
        "", max_length=500, description="Why smallest_effect is what it is; the report quotes it."
    )

    @model_validator(mode="after")
    def _two_variants(self) -> Difference:
        if self.a == self.b:
            raise ValueError(f"a and b are both {self.a}: name two variants")
        return self

    @property
    def share(self) -> float:
        """Share of the level for its claim; the rest is for the opposite claim."""
        return 1.0 if self.side == "two-sided" else DECLARED_SIDE

    @property
    def smallest_share(self) -> float:
        """Smallest share of the level at which its claim is tested: a two-sided claim has half of it for each side."""
        return 0.5 if self.side == "two-sided" else DECLARED_SIDE

    def find_variants(self, variants: Sequence[AnyVariant]) -> dict[str, str]:
        """Return the names of variants a and b by role; the contrast may name them without the suffix of ``set``.

        Raises:
            HarnessError: The experiment does not contain one of them.
        """
        names = [v.name for v in variants]
        names_by_role = {}
        for role, name in (("a", self.a), ("b", self.b)):
            matches = find_names(name, names)
            if len(matches) != 1:
                raise HarnessError(
                    f"the difference contrast names the variant '{name}', which this experiment does not contain",
                    where="contrasts",
                    remedy=suggest_nearest(name, names),
                )
            names_by_role[role] = matches[0]
        return names_by_role


Contrast = Annotated[Degradation | Difference | TimeToTarget, Field(discriminator="kind")]
