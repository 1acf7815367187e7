"""The catalogue of variants: all named networks, any depth of a family, and their plain twins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, suggest_nearest
from harness.io.validation import validate_model
from harness.io.yaml_documents import Document
from harness.io.yaml_parser import Location
from harness.specs.catalogue.directories import find_directories
from harness.specs.catalogue.families import ExternalFamily, Family
from harness.specs.catalogue.skipped_files import SkippedFile, load_families
from harness.specs.experiment.data import DataInfo
from harness.specs.experiment.variant_selection import VariantSelection
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.external import INSTALL_COMMANDS, ExternalNetwork
from harness.specs.network.shortcuts import SHORTCUTS
from harness.specs.network.weights import Weights
from harness.text import one_line

MAX_NAME_LENGTH = 100
"""Limit on a variant's name, which equals that of every label."""


class Catalogue:
    """All families of variants, by name. If two families have the same name, the first one counts.

    Attributes:
        skipped: Files that are no valid family, by the name of the family that each may be meant to be. Who asks for
            such a family gets the file's error, not another family of that name.
    """

    def __init__(self, families: Iterable[Family | ExternalFamily | SkippedFile]) -> None:
        self.families: dict[str, Family | ExternalFamily] = {}
        self.skipped: dict[str, SkippedFile] = {}
        for family in families:
            if family.family not in self.families.keys() | self.skipped.keys():
                if isinstance(family, SkippedFile):
                    self.skipped[family.family] = family
                else:
                    self.families[family.family] = family

    @classmethod
    def load(cls) -> Catalogue:
        """Read every family; those of the working directory take precedence over those of Depthbench.

        A file that is no valid family is skipped with a warning: it may be a file of another program.
        """
        return cls(family for directory in find_directories("variants") for family in load_families(directory))

    @classmethod
    def shipped(cls) -> Catalogue:
        """Read the families of Depthbench only, without those of the working directory."""
        directory = find_directories("variants", working_directory=False)[0]
        return cls(load_families(directory))

    def networks(self) -> Iterator[tuple[AnyVariant, str]]:
        """Yield (network, name of its twin) of every named network; the name is empty if it has no twin."""
        for family in self.families.values():
            yield from family.networks()

    def get(self, name: str) -> AnyVariant:
        """Return a variant by name: a member of a family, its prefix with a depth, or the twin of either.

        Every classifier of torchvision and timm has a name too, such as ``torchvision/resnet18``.

        Raises:
            HarnessError: No variant has this name; the error suggests the nearest name. Or the file that may contain
                the variant is no valid family.
        """
        for skipped in self.skipped.values():
            if name in skipped.members:
                raise skipped.error_for(name, "variant")
        for family in self.families.values():
            variant = family.find(name)
            if variant is not None:
                return variant
        library, slash, model = name.partition("/")
        if slash and model and library in INSTALL_COMMANDS and library in self.families:
            return ExternalNetwork(name=name, family=library, kind=library, factory=model)
        for skipped in self.skipped.values():
            if name.startswith(skipped.prefixes):
                raise skipped.error_for(name, "variant")
        names = [variant.name for variant, _ in self.networks()]
        raise HarnessError(
            f"there is no variant '{name}'",
            where="variant",
            remedy=f"{suggest_nearest(name, names)} `harness variants` lists all.",
        )

    def get_with_fields(self, name: str, assignments: Sequence[str]) -> AnyVariant:
        """Return a variant by name with ``field=value`` assignments applied, as in ``--set``.

        Raises:
            HarnessError: No variant has this name, or the changed fields are not a valid variant.
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
        """Return a family by name.

        Raises:
            HarnessError: No family has this name; the error suggests the nearest name.
        """
        if name in self.skipped:
            raise self.skipped[name].error_for(name, "family")
        if name not in self.families:
            raise HarnessError(
                f"there is no family '{name}'", where="family", remedy=suggest_nearest(name, self.families)
            )
        return self.families[name]

    def find_code(self, selection: VariantSelection) -> tuple[str, tuple[str, ...], str]:
        """Return the Python code that a selection names: its factory, the field that names it, and the family's file.

        All are empty if it names none. Nothing is imported.

        Raises:
            HarnessError: No variant has the selection's name.
        """
        if selection.kind is not None:
            return (str(selection.factory), ("factory",), "") if selection.kind == "python" else ("", (), "")
        if selection.name is None:
            return "", (), ""
        base = self.get(selection.name)
        if not isinstance(base, ExternalNetwork):
            return "", (), ""
        if {"kind", "factory"} & selection.set.keys():
            is_code = selection.set.get("kind", base.kind) == "python"
            return (str(selection.set.get("factory", base.factory)), ("set",), "") if is_code else ("", (), "")
        return (base.factory, ("name",), self.file_of(base.family)) if base.kind == "python" else ("", (), "")

    def file_of(self, family: str) -> str:
        """Return the file of a family; empty if there is none."""
        return self.families[family].file if family in self.families else ""

    def select_variants(
        self, selection: VariantSelection, info: DataInfo, document: Document, at: Location
    ) -> Sequence[AnyVariant]:
        """Return the selected variants, with the channels and classes of the data.

        Args:
            at: Location of the selection in the document.

        Raises:
            HarnessError: No variant has this name or depth, or a changed field is not valid.
        """
        data_fields = {"in_channels": info.channels, "classes": info.classes}
        _require_settable(selection, data_fields, document, at)
        if selection.kind is not None:
            factory = selection.factory or selection.name
            fields: dict[str, Any] = {
                "kind": selection.kind,
                "factory": factory,
                "args": selection.args,
                "weights": selection.weights,
            }
            if selection.auxiliary_weight is not None:
                fields["auxiliary_weight"] = selection.auxiliary_weight
            network = validate_model(ExternalNetwork, fields | data_fields, document, at)
            name = selection.label or network.function or network.factory
            return [network.model_copy(update={"name": name}).with_content_hash()]
        if selection.name is not None:
            return [_apply_selection(self.get(selection.name), None, selection, data_fields, document, at)]
        family = self.family(str(selection.family))
        if not isinstance(family, Family):
            raise HarnessError(
                f"the family {family.family} has no depths, because its members are external networks",
                where=document.where((*at, "family")),
                remedy=f"Select a member by its name, as in name: {next(iter(family.members), '')}.",
            )
        variants = []
        default_shortcut = family.base.get("shortcut")
        if default_shortcut is None and not selection.shortcut:
            raise HarnessError(
                f"the family {family.family} has no default shortcut",
                where=document.where((*at, "family")),
                remedy=f"Add one, as in shortcut: {next(iter(SHORTCUTS))}.",
            )
        for shortcut in selection.shortcut or (default_shortcut,):
            for depth in selection.depth:
                fields, name = family.find_depth(depth, selection.block)
                base = family.variant({**fields, "shortcut": shortcut}, name)
                if family.twin is not None and shortcut == family.twin.shortcut:
                    name = family.twin_name(name)
                elif shortcut != default_shortcut:
                    name += f"-{shortcut}"
                variants.append(_apply_selection(base, name, selection, data_fields, document, at))
        return variants


def _require_settable(
    selection: VariantSelection, data_fields: dict[str, int], document: Document, at: Location
) -> None:
    """Raise a HarnessError if a selection sets a field that the data set or the label determines."""
    for name in selection.set:
        if name in data_fields:
            raise HarnessError(
                f"the data set determines {name}, so it cannot be set",
                where=document.where((*at, "set", name)),
                remedy="Remove it.",
            )
    if "name" in selection.set or "family" in selection.set:
        raise HarnessError(
            "name and family cannot be set",
            where=document.where((*at, "set")),
            remedy="Use label to give the variant a name.",
        )


def _apply_selection(
    base: AnyVariant,
    name: str | None,
    selection: VariantSelection,
    data_fields: dict[str, int],
    document: Document,
    at: Location,
) -> AnyVariant:
    """Return ``base`` with the fields that a selection sets, under its label or a name with a suffix."""
    variant = validate_model(type(base), base.model_dump() | selection.set | data_fields, document, (*at, "set"))
    suffix = _suffix(base, {field: getattr(variant, field) for field in selection.set})
    full_name = selection.label or (name or base.name) + suffix
    if len(full_name) > MAX_NAME_LENGTH:
        raise HarnessError(
            f"the name of this variant would have {len(full_name)} letters, more than {MAX_NAME_LENGTH}: "
            f"{full_name[:40]}...",
            where=document.where((*at, "set")),
            remedy="Give it a shorter name with label.",
        )
    return variant.model_copy(update={"name": full_name}).with_content_hash()


def _suffix(base: AnyVariant, changes: dict[str, Any]) -> str:
    """Return the suffix of a changed variant's name: widths [8, 16, 32], for example, add ``-w8``."""
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
            text = "-".join(map(str, value)) if isinstance(value, list | tuple) else value
            parts.append(f"-{field}-{text}")
    return "".join(parts)
