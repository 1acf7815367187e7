"""The catalogue of variants: every named network, any depth of a family, and their plain twins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, suggest_nearest
from harness.io.validation import validate_model
from harness.io.yaml_documents import Document
from harness.specs.catalogue.families import ExternalFamily, Family, load_family, search_paths
from harness.specs.experiment.data import DataInfo
from harness.specs.experiment.experiment import VariantSelection
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.external import INSTALL_COMMANDS, ExternalNetwork
from harness.specs.network.shortcuts import SHORTCUTS
from harness.specs.network.variant import Variant
from harness.specs.network.weights import Weights
from harness.text import one_line

MOST_LETTERS = 100
"""Of a variant's name, as of every label."""


class Catalogue:
    """All families at hand, by name."""

    def __init__(self, families: Iterable[Family | ExternalFamily]) -> None:
        self.families: dict[str, Family | ExternalFamily] = {}
        for family in families:
            self.families.setdefault(family.family, family)

    @classmethod
    def load(cls) -> Catalogue:
        """Read every family from the shelves; the working directory's wins over the shipped one.

        Raises:
            HarnessError: A file is not a family, or a member of it is no variant.
        """
        return cls(load_family(path) for shelf in search_paths("variants") for path in sorted(shelf.glob("*.yaml")))

    @classmethod
    def shipped(cls) -> Catalogue:
        """The families that come with the project, whatever lies in the working directory."""
        shelf = search_paths("variants", own=False)[0]
        return cls(load_family(path) for path in sorted(shelf.glob("*.yaml")))

    def networks(self) -> Iterator[tuple[AnyVariant, str]]:
        """Every named network, each with the name of its twin; empty where there is none."""
        for family in self.families.values():
            yield from family.networks()

    def members(self) -> Iterator[Variant]:
        """Every named network of the residual family, each followed by its twin where it has one."""
        return (variant for variant, _ in self.networks() if isinstance(variant, Variant))

    def get(self, name: str) -> AnyVariant:
        """A variant by name: a member, a family's prefix with a depth, the twin of either.

        Any classifier of torchvision or timm has a name: ``torchvision/resnet18`` stands beside ours of that name.

        Raises:
            HarnessError: There is none; the nearest name is suggested.
        """
        for family in self.families.values():
            found = family.find(name)
            if found is not None:
                return found
        library, slash, model = name.partition("/")
        if slash and model and library in INSTALL_COMMANDS and library in self.families:
            return ExternalNetwork(name=name, family=library, kind=library, factory=model)
        known = [variant.name for variant, _ in self.networks()]
        raise HarnessError(
            f"there is no variant '{name}'",
            where="variant",
            remedy=f"{suggest_nearest(name, known)} `harness variants` shows all.",
        )

    def get_with_fields(self, name: str, assignments: Sequence[str]) -> AnyVariant:
        """A variant by name with ``field=value`` assignments applied, as ``--set`` gives them.

        Raises:
            HarnessError: There is no such variant, or what comes out is none.
        """
        base = self.get(name)
        document = Document(Path(base.name), base.model_dump(mode="json"), {})
        for assignment in assignments:
            document.override(assignment)
        variant = validate_model(type(base), document.data, document)
        fields = [key for key in type(base).model_fields if getattr(variant, key) != getattr(base, key)]
        suffix = _suffix(base, {field: getattr(variant, field) for field in fields if field not in base.labels})
        return variant.model_copy(update={"name": base.name + suffix})

    def family(self, name: str) -> Family | ExternalFamily:
        """A family by name.

        Raises:
            HarnessError: There is none; the nearest name is suggested.
        """
        if name not in self.families:
            raise HarnessError(
                f"there is no family '{name}'", where="family", remedy=suggest_nearest(name, self.families)
            )
        return self.families[name]

    def select_variants(
        self, choice: VariantSelection, info: DataInfo, document: Document, at: tuple[str | int, ...]
    ) -> Sequence[AnyVariant]:
        """The variants of one entry of an experiment, fitted to its data's channels and classes.

        Raises:
            HarnessError: There is none of that name or depth, or a change of it is refused.
        """
        fit = {"in_channels": info.channels, "classes": info.classes}
        for name in choice.set:
            if name in fit:
                raise HarnessError(
                    f"{name} comes from the data set", where=document.where((*at, "set", name)), remedy="Leave it out."
                )
        if "name" in choice.set or "family" in choice.set:
            raise HarnessError("use label to name a variant", where=document.where((*at, "set")))
        if choice.kind is not None:
            factory = choice.factory or choice.name
            fields = {"kind": choice.kind, "factory": factory, "args": choice.args, "weights": choice.weights, **fit}
            made = validate_model(ExternalNetwork, fields, document, at)
            return [made.model_copy(update={"name": choice.label or made.function or made.factory}).with_content_hash()]
        if choice.name is not None:
            return [_changed(self.get(choice.name), None, choice, fit, document, at)]
        family = self.family(str(choice.family))
        if not isinstance(family, Family):
            raise HarnessError(
                f"family {family.family} has no depths: its members are networks of another library",
                where=document.where((*at, "family")),
                remedy=f"Name one: name: {next(iter(family.members), '')}.",
            )
        found = []
        usual = family.base.get("shortcut")
        if usual is None and not choice.shortcut:
            raise HarnessError(
                f"family {family.family} has no shortcut of its own",
                where=document.where((*at, "family")),
                remedy=f"Name one: shortcut: {next(iter(SHORTCUTS))}.",
            )
        for shortcut in choice.shortcut or (usual,):
            for depth in choice.depth:
                fields, name = family.find_depth(depth, choice.block)
                base = family.variant({**fields, "shortcut": shortcut}, name)
                if shortcut == family.twin.shortcut:
                    name = family.twin_name(name)
                elif shortcut != usual:
                    name += f"-{shortcut}"
                found.append(_changed(base, name, choice, fit, document, at))
        return found


def _changed(
    base: AnyVariant,
    name: str | None,
    choice: VariantSelection,
    fit: dict[str, int],
    document: Document,
    at: tuple[str | int, ...],
) -> AnyVariant:
    """``base`` with what an experiment sets in it, and with a name that says so."""
    variant = validate_model(type(base), base.model_dump() | choice.set | fit, document, (*at, "set"))
    suffix = _suffix(base, {field: getattr(variant, field) for field in choice.set})
    called = choice.label or (name or base.name) + suffix
    if len(called) > MOST_LETTERS:
        raise HarnessError(
            f"its name would have {len(called)} letters: {called[:40]}...",
            where=document.where((*at, "set")),
            remedy="Give it a label.",
        )
    return variant.model_copy(update={"name": called}).with_content_hash()


def _suffix(base: AnyVariant, changes: dict[str, Any]) -> str:
    """A changed variant does not carry the unchanged one's name: widths [8, 16, 32] adds ``-w8``."""
    parts = []
    for field, value in changes.items():
        unchanged = getattr(base, field) == value
        if field == "widths" and not unchanged:
            parts.append(f"-w{value[0]}")
        elif isinstance(value, Weights):
            parts.append(f"-from-{Path(value.file).stem}" + "-frozen" * (value.freeze == "body"))
        elif isinstance(value, dict) and not unchanged:
            parts += [f"-{key}-{one_line(str(inner))}" for key, inner in value.items()]
        elif not unchanged:
            shown = "-".join(map(str, value)) if isinstance(value, list | tuple) else value
            parts.append(f"-{field}-{shown}")
    return "".join(parts)
