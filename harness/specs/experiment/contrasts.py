"""What an experiment declares beforehand: the contrasts that its verdicts are about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from harness.errors import HarnessError, suggest_nearest
from harness.specs.experiment.interim_looks import DECLARED_SIDE
from harness.specs.identity import Spec
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.variant import NEEDS_SHORTCUT, Variant
from harness.specs.number_types import Positive
from harness.text import Line

Depth = Annotated[int, Field(gt=0, le=1_000_000)]


class Degradation(Spec):
    """Is the deeper plain net worse in training, while the deeper residual one is not? (He et al. 2015, fig. 1)

    Three contrasts on both training errors, one difference per seed; see docs/statistics.md.
    """

    kind: Literal["degradation"]
    shallow: Depth
    deep: Depth
    margin: Positive = Field(description="Percentage points by which a deeper residual net may be worse.")
    smallest_effect: Positive | None = Field(None, description="Smallest effect of interest (default: margin).")
    family: Line | None = Field(None, description="Needed where two families share the depths.")
    shortcut: Line | None = Field(None, description="The residual side, where there are several.")
    share: ClassVar[float] = 1.0
    """Of the level that its claim has: where it is wrong, its opposite is right."""

    @model_validator(mode="after")
    def _two_depths(self) -> Degradation:
        if self.shallow >= self.deep:
            raise ValueError(f"shallow ({self.shallow}) must be less than deep ({self.deep})")
        return self

    def find_variants(self, variants: Sequence[AnyVariant]) -> dict[str, str]:
        """Names of the four variants it compares: plain_shallow, plain_deep, residual_shallow, residual_deep.

        Raises:
            HarnessError: One of them is not in the experiment, or several are.
        """
        found = {}
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
                    problem = f"several {kind} variants ({', '.join(names)})" if names else f"no {kind} variant"
                    raise HarnessError(
                        f"the degradation contrast finds {problem} of depth {depth}",
                        where="contrasts",
                        remedy="Name family and shortcut in the contrast." if names else "Add it to variants.",
                    )
                found[f"{kind}_{role}"] = names[0]
        compared = [v for v in variants if v.name in found.values() and isinstance(v, Variant)]
        residual = [v for v in compared if not v.is_plain]
        for field in Variant.model_fields.keys() - {*Variant.labels, "blocks", "shortcut"}:
            among = residual if field in NEEDS_SHORTCUT else compared
            if len({getattr(v, field) for v in among}) > 1:
                raise HarnessError(
                    f"the degradation contrast compares networks that differ in {field}, not in depth alone",
                    where="contrasts",
                    remedy="Choose variants that share everything but blocks and shortcut.",
                )
        return found


def _changed_by_set(name: str, base: str) -> bool:
    """Whether ``name`` is ``base`` with the suffix of a changed field, such as ``-w8``."""
    fields = "|".join(Variant.model_fields)
    return re.match(rf"{re.escape(base)}-(w\d|({fields})-)", name) is not None


class Difference(Spec):
    """Is variant ``a`` better than variant ``b`` in one metric, by paired seeds? The side is declared."""

    kind: Literal["difference"]
    a: Line
    b: Line
    metric: Literal["test/error", "train/error", "train/error_clean"] = "test/error"
    side: Literal["less", "greater", "two-sided"] = Field("less", description="Of a compared with b.")
    smallest_effect: Positive = Field(0.5, description="Smallest effect of interest, percentage points.")

    @model_validator(mode="after")
    def _two_variants(self) -> Difference:
        if self.a == self.b:
            raise ValueError(f"a and b are both {self.a}")
        return self

    @property
    def share(self) -> float:
        """Of the level that its claim has; the rest is for the opposite."""
        return 1.0 if self.side == "two-sided" else DECLARED_SIDE

    def find_variants(self, variants: Sequence[AnyVariant]) -> dict[str, str]:
        """Names of the two variants it compares; a name without the suffix of ``set`` will do.

        Raises:
            HarnessError: One of them is not in the experiment.
        """
        names = [v.name for v in variants]
        found = {}
        for role, wanted in (("a", self.a), ("b", self.b)):
            # A variant changed by `set` carries a suffix, which may come from the command line.
            matches = [wanted] if wanted in names else [name for name in names if _changed_by_set(name, wanted)]
            if len(matches) != 1:
                raise HarnessError(
                    f"the difference contrast names '{wanted}', which this experiment does not hold",
                    where="contrasts",
                    remedy=suggest_nearest(wanted, names),
                )
            found[role] = matches[0]
        return found


Contrast = Annotated[Degradation | Difference, Field(discriminator="kind")]
