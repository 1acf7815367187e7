"""Time to target: errors that an experiment declares as targets, and the contrast over the time until they are reached.

A trial that never reaches a target is censored at the end of its budget: all that is known of its time is that it is
longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from harness.errors import HarnessError, suggest_nearest
from harness.specs.experiment.interim_looks import DECLARED_SIDE
from harness.specs.identity import Spec
from harness.specs.matching.variant_names import find_names
from harness.specs.network.any_variant import AnyVariant
from harness.text import Line

Unit = Literal["epochs", "seconds"]


class Target(Spec):
    """An error that a trial reaches or not: the first evaluated epoch at whose end the error is at most ``value``."""

    example: ClassVar[str] = "{metric: test/error, value: 5}"

    metric: Literal["test/error", "val/error", "train/error", "train/error_clean"] = "test/error"
    value: Annotated[float, Field(gt=0, lt=100)] = Field(description="Error in percent.")


class TimeToTarget(Spec):
    """The time_to_target contrast: variant ``a`` reaches an error earlier than variant ``b``, over paired seeds.

    Of each pair only the order counts, because the time of a trial that does not reach the target is not known. Pairs
    without a known order (both trials miss the target, or both reach it at once) count for neither side.
    """

    kind: Literal["time_to_target"]
    a: Line
    b: Line
    target: Target | None = Field(None, description="One of the experiment's targets; needed if it has several.")
    unit: Unit = Field(
        "epochs",
        description="epochs, or seconds of the training clock. Seconds count only where no other trial used the "
        "device.",
    )
    side: Literal["less"] = Field("less", description="The claim: a needs less time.")
    share: ClassVar[float] = DECLARED_SIDE
    """Share of the level for its claim; the rest is for the opposite claim."""
    smallest_share: ClassVar[float] = DECLARED_SIDE
    """Smallest share of the level at which its claim is tested."""

    @model_validator(mode="after")
    def _two_variants(self) -> TimeToTarget:
        if self.a == self.b:
            raise ValueError(f"a and b are both {self.a}: name two variants")
        return self

    @property
    def declared_target(self) -> Target:
        """The target; the experiment has set it where the contrast left it out."""
        assert self.target is not None
        return self.target

    @property
    def measure(self) -> str:
        """The compared quantity as one text: unit, metric and value. Two contrasts are alike only if it is equal."""
        return f"{self.kind} {self.unit} {self.declared_target.metric} {self.declared_target.value!r}"

    def find_variants(self, variants: Sequence[AnyVariant]) -> dict[str, str]:
        """Return the names of variants a and b by role; the contrast may name them without the suffix of ``set``.

        Raises:
            HarnessError: The experiment does not contain one of them.
        """
        names = [variant.name for variant in variants]
        names_by_role = {}
        for role, name in (("a", self.a), ("b", self.b)):
            matches = find_names(name, names)
            if len(matches) != 1:
                raise HarnessError(
                    f"the time_to_target contrast names the variant '{name}', which this experiment does not contain",
                    where="contrasts",
                    remedy=suggest_nearest(name, names),
                )
            names_by_role[role] = matches[0]
        return names_by_role


def require_distinct_targets(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """Return the targets; raise ValueError if one is declared twice."""
    for index, target in enumerate(targets):
        if target in targets[:index]:
            raise ValueError(f"the target {target.value:g} of {target.metric} is declared twice: remove one of the two")
    return targets


Targets = Annotated[tuple[Target, ...], Field(max_length=20)]


def with_declared_target(contrast: TimeToTarget, targets: Sequence[Target]) -> TimeToTarget:
    """Return the contrast with its target, which is the experiment's only one where the contrast names none.

    Raises:
        ValueError: The target is not declared, or the contrast does not say which of several it means.
    """
    if not targets:
        raise ValueError("a time_to_target contrast needs a target: add targets: [{metric: test/error, value: 5}]")
    if contrast.target is None and len(targets) > 1:
        raise ValueError(
            f"the experiment declares {len(targets)} targets, and the time_to_target contrast does not say which one: "
            "add target to it"
        )
    target = contrast.target or targets[0]
    if target not in targets:
        raise ValueError(
            f"the time_to_target contrast names {target.metric} of {target.value:g} %, which is not among targets: add "
            "it there"
        )
    return contrast.model_copy(update={"target": target})
