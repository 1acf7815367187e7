"""Families of variants: the YAML files of ``variants/``, with their members, depths and twins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, PrivateAttr, field_validator, model_validator

from harness.errors import HarnessError, suggest_nearest
from harness.io.validation import validate_model
from harness.io.yaml_documents import Document, read_document
from harness.specs.identity import Spec
from harness.specs.network.external import ExternalNetwork, NetworkKind
from harness.specs.network.shortcuts import SHORTCUTS
from harness.specs.network.variant import MOST_BLOCKS, NEEDS_SHORTCUT, Variant
from harness.text import Identifier, Line, OptionalIdentifier, Prose


class Twin(Spec):
    """The twins of a family: the prefix of their names, and their shortcut."""

    prefix: Identifier
    shortcut: Line = "none"

    @field_validator("shortcut")
    @classmethod
    def _require_shortcut_type(cls, value: str) -> str:
        if value not in SHORTCUTS:
            raise ValueError(f"there is no shortcut type '{value[:60]}'. {suggest_nearest(value, SHORTCUTS)}")
        return value


SCHEMA_COMMAND = "harness schema family"
"""The command that lists the fields of a file of ``variants/``."""


class Family(Spec):
    """One YAML file of ``variants/``: the fields that its networks share, and its members, depths and twins."""

    schema_command: ClassVar[str] = SCHEMA_COMMAND
    field_models: ClassVar[dict[str, tuple[type[Spec], ...]]] = {"base": (Variant,)}

    family: Identifier
    prefix: OptionalIdentifier = Field(
        "", description="First part of its members' names, before the depth (default: the name of the family)."
    )
    source: Prose = ""
    base: dict[str, Any]
    input_size: Annotated[int, Field(gt=0, le=4096)] = Field(
        description="Side in pixels of the images for which costs are listed."
    )
    depth: dict[str, str] = Field({}, description="Depth rule of each block type, such as basic: 6n+2.")
    members: dict[Identifier, dict[str, Any]] = Field(
        {}, description="Named networks, and the fields that each changes."
    )
    twin: Twin | None = Field(None, description="Names and shortcut of the twins; without it the family has none.")

    _document: Document = PrivateAttr()

    @property
    def file(self) -> str:
        """The YAML file of the family."""
        return self._document.file

    @field_validator("depth")
    @classmethod
    def _require_depth_rules(cls, value: dict[str, str]) -> dict[str, str]:
        for rule in value.values():
            if not re.fullmatch(r"[1-9][0-9]{0,5}n\+[0-9]{1,6}", rule):
                raise ValueError(f"'{rule[:60]}' is not a depth rule: write it as in 6n+2")
        return value

    @model_validator(mode="after")
    def _require_distinct_prefixes(self) -> Family:
        if self.twin is not None and self.twin.prefix == self.member_prefix:
            raise ValueError(f"members and twins have the same prefix {self.twin.prefix}: give the twin another one")
        return self

    @property
    def member_prefix(self) -> str:
        """First part of the members' names."""
        return self.prefix or self.family

    def networks(self) -> Iterator[tuple[Variant, str]]:
        """Yield (network, name of its twin) of every member and twin; the name is empty if there is none."""
        for name, fields in self.members.items():
            twin = self.twin_name(name) if self.has_twin(fields) else ""
            yield self.variant(fields, name, ("members", name)), twin
            if twin and self.twin is not None:
                yield self.variant({**fields, "shortcut": self.twin.shortcut}, twin, ("twin",)), name

    def find(self, name: str) -> Variant | None:
        """Return the network with this name: a member, a prefix with a depth, or the twin of either; else None."""
        changes: dict[str, dict[str, str]] = {self.member_prefix: {}}
        if self.twin is not None:
            changes[self.twin.prefix] = {"shortcut": self.twin.shortcut}
        for prefix, change in changes.items():
            member = self.member_prefix + name.removeprefix(prefix)
            if name.startswith(prefix) and member in self.members:
                return self.variant({**self.members[member], **change}, name)
            match = re.fullmatch(re.escape(prefix) + r"([0-9]{1,9})(?:-(\w+))?", name)
            if match and self.depth and match[2] in (None, *self.depth):
                return self.variant({**self.find_depth(int(match[1]), match[2])[0], **change}, name)
        return None

    def twin_name(self, name: str) -> str:
        """Return the name of a member's twin, in a family that has twins."""
        assert self.twin is not None
        return self.twin.prefix + name.removeprefix(self.member_prefix)

    def has_twin(self, fields: dict[str, Any]) -> bool:
        """Return whether the member with ``fields`` has a twin: some fields are not possible in a plain network."""
        if self.twin is None:
            return False
        merged = {**self.base, **fields}
        return SHORTCUTS[self.twin.shortcut] is not None or not NEEDS_SHORTCUT.keys() & {
            field for field, value in merged.items() if value
        }

    def variant(self, fields: dict[str, Any], name: str, location: tuple[str | int, ...] = ()) -> Variant:
        """Return the base with changed fields; the depth rule turns a ``depth`` among them into blocks.

        Args:
            location: Location of the fields in the family's file, for errors.

        Raises:
            HarnessError: The fields are not a valid variant, or no network has this depth.
        """
        merged = {**self.base, **fields}
        depth = merged.pop("depth", None)
        if depth is not None:
            merged["blocks"] = self._blocks_for_depth(depth, merged)
        merged |= {"name": name, "family": self.family}
        variant = validate_model(Variant, merged, self._document, location)
        if depth not in (None, variant.depth):
            raise HarnessError(
                f"the depth rule of the family {self.family} gives a network of depth {variant.depth} for depth "
                f"{depth}",
                where=self._document.where(("depth",)),
                remedy="Correct the rule; for three stages of n basic blocks it is 6n+2.",
            )
        return variant

    def _blocks_for_depth(self, depth: Any, fields: dict[str, Any]) -> list[int]:
        """Return the blocks of each stage in the network of a depth."""
        if isinstance(depth, bool) or not isinstance(depth, int):
            raise HarnessError(f"{str(depth)[:60]!r} is not a depth", where="depth", remedy="Give a whole number.")
        block = fields.get("block")
        rule = self.depth.get(str(block))
        if rule is None:
            raise HarnessError(
                f"the family {self.family} has no depth rule for block '{str(block)[:60]}'",
                where="block",
                remedy=f"It has rules for: {', '.join(self.depth)}." if self.depth else "It has only its members.",
            )
        per_block, rest = (int(number) for number in rule.split("n+"))
        count, left = divmod(depth - rest, per_block)
        if left or count < 1:
            below, above = (per_block * n + rest for n in (max(count, 1), max(count, 0) + 1))
            raise HarnessError(
                f"the family {self.family} has no network of depth {depth}: with {block} blocks depths are {rule}",
                where="depth",
                remedy=f"The nearest depths are {below} and {above}."
                if count >= 1
                else f"The smallest depth is {above}.",
            )
        widths = fields.get("widths")
        # Validation of the variant refuses widths that are not a list.
        return [count] * (len(widths) if isinstance(widths, list | tuple) else 1)

    def list_blocks(self, like: Variant) -> list[tuple[int, ...]]:
        """Return the blocks of each stage of every depth that the family has with the block type of a variant."""
        members = (self.variant(fields, name) for name, fields in self.members.items())
        blocks = {v.blocks for v in members if v.block == like.block and len(v.blocks) == len(like.blocks)}
        if like.block in self.depth:
            stages = len(like.blocks)
            blocks |= {(count,) * stages for count in range(1, MOST_BLOCKS // stages + 1)}
        return sorted(blocks, key=sum)

    def find_depth(self, depth: int, block: str | None = None) -> tuple[dict[str, Any], str]:
        """Return (fields, name) of the family's network of a depth: a member, or one by the depth rule.

        Raises:
            HarnessError: The family has no network of this depth.
        """
        members = {name: self.variant(fields, name) for name, fields in self.members.items()}
        matches = [name for name, v in members.items() if v.depth == depth and block in (None, v.block)]
        if matches:
            return self.members[matches[0]], matches[0]
        if self.depth:
            block_type = block or str(self.base.get("block"))
            suffix = "" if block_type == self.base.get("block") else f"-{block_type}"
            fields = {"depth": depth, "block": block_type}
            self._blocks_for_depth(depth, {**self.base, **fields})
            return fields, f"{self.member_prefix}{depth}{suffix}"
        raise HarnessError(
            f"the family {self.family} has no network of depth {depth}",
            where="depth",
            remedy=f"It has the depths {', '.join(str(v.depth) for v in members.values())}. For another depth select a "
            "member by its name and change its blocks, as in set: {blocks: [3, 3, 3, 3]}.",
        )


class ExternalFamily(Spec):
    """One YAML file of ``variants/`` whose members are external networks."""

    schema_command: ClassVar[str] = SCHEMA_COMMAND

    family: Identifier
    kind: NetworkKind
    source: Prose = ""
    input_size: Annotated[int, Field(gt=0, le=4096)] = Field(
        description="Side in pixels of the images for which costs are listed."
    )
    members: dict[Identifier, dict[str, Any]] = Field(
        {}, description="Named networks, and the factory (default: the member's name) and args of each."
    )

    _document: Document = PrivateAttr()

    @property
    def file(self) -> str:
        """The YAML file of the family."""
        return self._document.file

    def variant(self, fields: dict[str, Any], name: str, location: tuple[str | int, ...] = ()) -> ExternalNetwork:
        """Return the network with these fields.

        Args:
            location: Location of the fields in the family's file, for errors.
        """
        merged = {"factory": name, **fields, "kind": self.kind, "name": name, "family": self.family}
        return validate_model(ExternalNetwork, merged, self._document, location)

    def networks(self) -> Iterator[tuple[ExternalNetwork, str]]:
        """Yield (network, empty name) of every member: external networks have no twins."""
        return ((self.variant(fields, name, ("members", name)), "") for name, fields in self.members.items())

    def find(self, name: str) -> ExternalNetwork | None:
        """Return the member with this name, or None."""
        return self.variant(self.members[name], name) if name in self.members else None


def load_family(path: Path) -> Family | ExternalFamily:
    """Read one file of ``variants/`` and check all of its members.

    Raises:
        HarnessError: The file is not a valid family, or one of its members is not a valid variant.
    """
    document = read_document(path)
    family: Family | ExternalFamily
    if "family" not in document.data:
        raise HarnessError(
            "this file has no field 'family'",
            where=document.file,
            remedy=f"Add the field (`{SCHEMA_COMMAND}` lists all), or move the file to another directory.",
        )
    if "kind" in document.data:
        family = validate_model(ExternalFamily, document.data, document)
    else:
        family = validate_model(Family, document.data, document)
    family._document = document
    for name, fields in family.members.items():
        try:
            family.variant(fields, name, ("members", name))
        except HarnessError as error:
            if document.file in error.where:
                raise
            where = document.where(("members", name, error.where))
            raise HarnessError(error.what, where=where, remedy=error.remedy) from error
    return family
