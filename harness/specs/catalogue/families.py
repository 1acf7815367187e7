"""Families: the YAML files of ``variants/``, each with its members, depths and twins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, field_validator, model_validator

from harness.errors import HarnessError, suggest_nearest
from harness.io.validation import validate_model
from harness.io.yaml_documents import Document, read_document
from harness.specs.identity import Spec
from harness.specs.network.external import ExternalNetwork, NetworkKind
from harness.specs.network.shortcuts import SHORTCUTS
from harness.specs.network.variant import NEEDS_SHORTCUT, Variant
from harness.text import Identifier, Line, OptionalIdentifier, Prose

PACKAGE = Path(__file__).resolve().parents[2]


def search_paths(kind: str, own: bool = True) -> list[Path]:
    """Where ``variants`` or ``experiments`` are looked up: working directory, then checkout, then wheel.

    Args:
        own: Whether the working directory is one of them.
    """
    places = []
    # The working directory may have been removed.
    with suppress(OSError):
        places += [Path.cwd() / kind] if own else []
    if (PACKAGE.parent / "pyproject.toml").exists():
        places.append(PACKAGE.parent / kind)
    places.append(PACKAGE / "shipped" / kind)
    return [place for place in dict.fromkeys(places) if place.is_dir()]


class Twin(Spec):
    """How the twin of a member is called, and what it changes."""

    prefix: Identifier
    shortcut: Line = "none"

    @field_validator("shortcut")
    @classmethod
    def _known_shortcut(cls, value: str) -> str:
        if value not in SHORTCUTS:
            raise ValueError(f"there is no shortcut type '{value[:60]}'. {suggest_nearest(value, SHORTCUTS)}")
        return value


class Family(Spec):
    """One YAML file of ``variants/``: a base spec and what may vary in it."""

    family: Identifier
    prefix: OptionalIdentifier = Field("", description="Of its members' names, before the depth (default: resnet).")
    source: Prose = ""
    base: dict[str, Any]
    input_size: Annotated[int, Field(gt=0, le=4096)] = Field(description="Side in pixels that costs are quoted at.")
    depth: dict[str, str] = Field({}, description="Depth rule per block type, such as basic: 6n+2.")
    members: dict[Identifier, dict[str, Any]] = Field({}, description="Named networks: what each changes in the base.")
    twin: Twin

    _document: Document = PrivateAttr()

    @field_validator("depth")
    @classmethod
    def _rules(cls, value: dict[str, str]) -> dict[str, str]:
        for rule in value.values():
            if not re.fullmatch(r"[1-9][0-9]{0,5}n\+[0-9]{1,6}", rule):
                raise ValueError(f"'{rule[:60]}' is not a rule such as 6n+2")
        return value

    @model_validator(mode="after")
    def _twins_have_names(self) -> Family:
        if self.twin.prefix == self.member_prefix:
            raise ValueError(f"members and twins are both called {self.twin.prefix}: give the twin another prefix")
        return self

    @property
    def member_prefix(self) -> str:
        """Prefix of the members' names."""
        return self.prefix or self.family

    def networks(self) -> Iterator[tuple[Variant, str]]:
        """Every member and twin, each with the name of its other; empty where there is none."""
        for name, fields in self.members.items():
            twin = self.twin_name(name) if self.has_twin(fields) else ""
            yield self.variant(fields, name, ("members", name)), twin
            if twin:
                yield self.variant({**fields, "shortcut": self.twin.shortcut}, twin, ("twin",)), name

    def find(self, name: str) -> Variant | None:
        """A member, a prefix with a depth, or the twin of either; None where it is none of them."""
        for prefix, change in ((self.member_prefix, {}), (self.twin.prefix, {"shortcut": self.twin.shortcut})):
            member = self.member_prefix + name.removeprefix(prefix)
            if name.startswith(prefix) and member in self.members:
                return self.variant({**self.members[member], **change}, name)
            match = re.fullmatch(re.escape(prefix) + r"([0-9]{1,9})(?:-(\w+))?", name)
            if match and self.depth and match[2] in (None, *self.depth):
                return self.variant({**self.find_depth(int(match[1]), match[2])[0], **change}, name)
        return None

    def twin_name(self, name: str) -> str:
        """What the twin of the member ``name`` is called."""
        return self.twin.prefix + name.removeprefix(self.member_prefix)

    def has_twin(self, fields: dict[str, Any]) -> bool:
        """Whether the member with ``fields`` means something without its shortcut."""
        merged = {**self.base, **fields}
        return SHORTCUTS[self.twin.shortcut] is not None or not NEEDS_SHORTCUT.keys() & {
            field for field, value in merged.items() if value
        }

    def variant(self, fields: dict[str, Any], name: str, location: tuple[str | int, ...] = ()) -> Variant:
        """The base with ``fields`` changed; ``depth`` among them becomes blocks by the family's rule."""
        merged = {**self.base, **fields}
        depth = merged.pop("depth", None)
        if depth is not None:
            merged["blocks"] = self._blocks(depth, merged)
        merged |= {"name": name, "family": self.family}
        variant = validate_model(Variant, merged, self._document, location)
        if depth not in (None, variant.depth):
            raise HarnessError(
                f"the depth rule of family {self.family} calls a network of depth {variant.depth} {depth}",
                where=self._document.where(("depth",)),
                remedy="6n+2 is right for three stages of n basic blocks.",
            )
        return variant

    def _blocks(self, depth: Any, fields: dict[str, Any]) -> list[int]:
        if isinstance(depth, bool) or not isinstance(depth, int):
            raise HarnessError(f"{str(depth)[:60]!r} is no depth", where="depth", remedy="Give a whole number.")
        block = fields.get("block")
        rule = self.depth.get(str(block))
        if rule is None:
            raise HarnessError(f"family {self.family} has no depth rule for block '{str(block)[:60]}'", where="block")
        per_block, rest = (int(number) for number in rule.split("n+"))
        count, left = divmod(depth - rest, per_block)
        if left or count < 1:
            below, above = (per_block * n + rest for n in (max(count, 1), max(count, 0) + 1))
            raise HarnessError(
                f"depth {depth} does not exist in family {self.family}: {block} blocks need {rule}",
                where="depth",
                remedy=f"The nearest are {below} and {above}." if count >= 1 else f"The smallest is {above}.",
            )
        widths = fields.get("widths")
        # Widths that are none are refused with the rest of the variant.
        return [count] * (len(widths) if isinstance(widths, list | tuple) else 1)

    def find_depth(self, depth: int, block: str | None = None) -> tuple[dict[str, Any], str]:
        """(fields, member name) of the family's network of this depth: a member, else by its rule.

        Raises:
            HarnessError: The family has no network of this depth.
        """
        named = {name: self.variant(fields, name) for name, fields in self.members.items()}
        exact = [name for name, v in named.items() if v.depth == depth and block in (None, v.block)]
        if exact:
            return self.members[exact[0]], exact[0]
        if self.depth:
            chosen = block or str(self.base.get("block"))
            suffix = "" if chosen == self.base.get("block") else f"-{chosen}"
            fields = {"depth": depth, "block": chosen}
            self._blocks(depth, {**self.base, **fields})
            return fields, f"{self.member_prefix}{depth}{suffix}"
        raise HarnessError(
            f"depth {depth} is not a member of family {self.family}",
            where="depth",
            remedy=f"It has {', '.join(str(v.depth) for v in named.values())}; "
            "for another, name a member and set its blocks, as in set: {blocks: [3, 3, 3, 3]}.",
        )


class ExternalFamily(Spec):
    """One YAML file of ``variants/`` that names networks of another library."""

    family: Identifier
    kind: NetworkKind
    source: Prose = ""
    input_size: Annotated[int, Field(gt=0, le=4096)] = Field(description="Side in pixels that costs are quoted at.")
    members: dict[Identifier, dict[str, Any]] = Field(
        {}, description="Named networks: factory (default: the member's name) and args of each."
    )

    _document: Document = PrivateAttr()

    def variant(self, fields: dict[str, Any], name: str, location: tuple[str | int, ...] = ()) -> ExternalNetwork:
        """One network."""
        merged = {"factory": name, **fields, "kind": self.kind, "name": name, "family": self.family}
        return validate_model(ExternalNetwork, merged, self._document, location)

    def networks(self) -> Iterator[tuple[ExternalNetwork, str]]:
        """Every member; none has a twin."""
        return ((self.variant(fields, name, ("members", name)), "") for name, fields in self.members.items())

    def find(self, name: str) -> ExternalNetwork | None:
        """A member; None where it is none."""
        return self.variant(self.members[name], name) if name in self.members else None


def load_family(path: Path) -> Family | ExternalFamily:
    """Read one file of ``variants/``, and build each member once so that errors show here.

    Raises:
        HarnessError: The file is not a family, or a member of it is no variant.
    """
    document = read_document(path)
    family: Family | ExternalFamily
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
