"""A declaration: everything that an experiment fixes before its results are seen and that decides its verdicts."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import Field

from harness.specs.adaptive.decide import StageSpec
from harness.specs.experiment.contrasts import UNTRAINED_TOLERANCE, Contrast
from harness.specs.experiment.interim_looks import Looks
from harness.specs.identity import Spec, canonical, digest
from harness.specs.network.any_variant import AnyVariant
from harness.specs.number_types import Seed

SELECTORS = {"a", "b", "shallow", "deep", "family", "shortcut"}
"""Fields of contrasts that only select variants. The variants themselves, by role, stand in their place."""
HARMLESS = {"margin_reason"}
"""Fields of contrasts that change no verdict."""
OPPOSITE_SIDES = {"less": "greater", "greater": "less"}


class DeclaredContrast(Spec):
    """One contrast as it was declared, with the specs of the variants that it compared.

    Attributes:
        contrast: The contrast as the experiment file declared it.
        variants: The compared variants by their role in the contrast.
    """

    contrast: Contrast
    variants: dict[str, AnyVariant]

    @cached_property
    def roles(self) -> dict[str, str]:
        """The canonical JSON of each variant's identity, by role."""
        return {role: canonical(variant.identity()) for role, variant in self.variants.items()}

    @cached_property
    def compared(self) -> frozenset[str]:
        """The identities of the compared variants, without their roles and names."""
        return frozenset(self.roles.values())

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The fields that decide the verdict, in one form for all contrasts that claim the same.

        "a is less than b" and "b is greater than a" claim the same, so the roles a and b are put into one order. A
        smallest effect that equals the margin is the default.
        """
        fields = self.contrast.model_dump(mode="json", exclude=SELECTORS | HARMLESS)
        if fields.get("smallest_effect") in (None, fields.get("margin")):
            fields.pop("smallest_effect", None)
        roles = self.roles
        if set(roles) == {"a", "b"} and "side" in fields and roles["a"] > roles["b"]:
            roles = {"a": roles["b"], "b": roles["a"]}
            fields["side"] = OPPOSITE_SIDES.get(fields["side"], fields["side"])
        return {**fields, "variants": roles}

    @cached_property
    def key(self) -> str:
        """The hash of what it claims."""
        return digest(self.fields)


class Declaration(Spec):
    """All contrasts of an experiment with their level, and at which seeds they are analysed.

    Names, the order of the contrasts, the question, notes, resources and reasons of margins are not part of its
    digest: they change no verdict.

    Attributes:
        contrasts: All declared contrasts, in the order of the file.
        level: The level of all verdicts together.
        verdicts: Number of verdicts over which Holm's method corrects; a search doubles the number of contrasts.
        looks: Declared numbers of seeds of interim looks.
        decide: Declared stages of an adaptive experiment.
        seeds: The declared seeds, in the order of the file.
        untrained_tolerance: How near to guessing a trial is that counts as untrained.
    """

    contrasts: tuple[DeclaredContrast, ...]
    level: float
    verdicts: int = Field(ge=0)
    looks: Looks = ()
    decide: StageSpec | None = None
    seeds: tuple[Seed, ...] = ()
    untrained_tolerance: float = UNTRAINED_TOLERANCE

    @property
    def is_fixed(self) -> bool:
        """Whether its contrasts are analysed once, at all declared seeds."""
        return not self.looks and self.decide is None

    @cached_property
    def digest(self) -> str:
        """The hash of what decides the verdicts."""
        return digest(
            {
                "contrasts": sorted(contrast.key for contrast in self.contrasts),
                "level": self.level,
                "verdicts": self.verdicts,
                "looks": list(self.looks),
                "decide": None if self.decide is None else self.decide.model_dump(mode="json"),
                # With looks, seeds are added as declared. The stages of an adaptive experiment follow their order.
                "seeds": sorted(self.seeds) if self.is_fixed else list(self.seeds) if self.decide else [],
                # The default is left out, as in trial ids: digests from before this field stay as they are.
                **(
                    {}
                    if self.untrained_tolerance == UNTRAINED_TOLERANCE
                    else {"untrained_tolerance": self.untrained_tolerance}
                ),
            }
        )
