"""The catalogue of variants: families of YAML files, their members, their depths and their plain twins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, field_validator, model_validator

from harness.errors import HarnessError, nearest
from harness.specs.experiment import MOST_TRIALS, Choice, DataInfo, Difference, Experiment, Study
from harness.specs.identity import Spec, digest
from harness.specs.loading import Document, read, validate
from harness.specs.shortcuts import SHORTCUTS
from harness.specs.variant import NEEDS_SHORTCUT, Variant
from harness.text import Line, PerhapsWord, Prose, Word

PACKAGE = Path(__file__).resolve().parents[1]
FROM_DATA = ("in_channels", "classes")


def shelves(kind: str) -> list[Path]:
    """Where ``variants`` or ``experiments`` are looked up: working directory, then checkout, then wheel."""
    places = []
    # The working directory may have been removed.
    with suppress(OSError):
        places.append(Path.cwd() / kind)
    if (PACKAGE.parent / "pyproject.toml").exists():
        places.append(PACKAGE.parent / kind)
    places.append(PACKAGE / "shipped" / kind)
    return [place for place in dict.fromkeys(places) if place.is_dir()]


class Twin(Spec):
    """How the twin of a member is called, and what it changes."""

    prefix: Word
    shortcut: Line = "none"

    @field_validator("shortcut")
    @classmethod
    def _known_shortcut(cls, value: str) -> str:
        if value not in SHORTCUTS:
            raise ValueError(f"there is no shortcut type '{value[:60]}'. {nearest(value, SHORTCUTS)}")
        return value


class Family(Spec):
    """One YAML file of ``variants/``: a base spec and what may vary in it."""

    family: Word
    prefix: PerhapsWord = Field("", description="Of its members' names, before the depth (default: resnet).")
    source: Prose = ""
    base: dict[str, Any]
    input_size: Annotated[int, Field(gt=0, le=4096)] = Field(description="Side in pixels that costs are quoted at.")
    depth: dict[str, str] = Field({}, description="Depth rule per block type, such as basic: 6n+2.")
    members: dict[Word, dict[str, Any]] = Field({}, description="Named networks: what each changes in the base.")
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
        variant = validate(Variant, merged, self._document, location)
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

    def of_depth(self, depth: int, block: str | None = None) -> tuple[dict[str, Any], str]:
        """(fields, member name) of the family's network of this depth: by its rule, else among its members.

        Raises:
            HarnessError: The family has no network of this depth.
        """
        if self.depth:
            chosen = block or str(self.base.get("block"))
            suffix = "" if chosen == self.base.get("block") else f"-{chosen}"
            fields = {"depth": depth, "block": chosen}
            self._blocks(depth, {**self.base, **fields})
            return fields, f"{self.member_prefix}{depth}{suffix}"
        members = {name: self.variant(fields, name) for name, fields in self.members.items()}
        for name, variant in members.items():
            if variant.depth == depth and block in (None, variant.block):
                return self.members[name], name
        raise HarnessError(
            f"depth {depth} is not a member of family {self.family}",
            where="depth",
            remedy=f"It has {', '.join(str(v.depth) for v in members.values())}; "
            "for another, name a member and set its blocks, as in set: {blocks: [3, 3, 3, 3]}.",
        )


class Catalogue:
    """All families at hand, by name."""

    def __init__(self, families: Iterable[Family]) -> None:
        self.families: dict[str, Family] = {}
        for family in families:
            self.families.setdefault(family.family, family)

    @classmethod
    def load(cls) -> Catalogue:
        """Read every family from the shelves; the working directory's wins over the shipped one.

        Raises:
            HarnessError: A file is not a family, or a member of it is no variant.
        """
        return cls(load_family(path) for shelf in shelves("variants") for path in sorted(shelf.glob("*.yaml")))

    def members(self) -> Iterator[Variant]:
        """Every named member, each followed by its twin where it has one."""
        return (variant for variant, _ in self.members_with_twins())

    def members_with_twins(self) -> Iterator[tuple[Variant, str]]:
        """The same, each with the name of its twin; empty where there is none."""
        for family in self.families.values():
            for name, fields in family.members.items():
                twin = family.twin_name(name) if family.has_twin(fields) else ""
                yield family.variant(fields, name, ("members", name)), twin
                if twin:
                    yield family.variant({**fields, "shortcut": family.twin.shortcut}, twin, ("twin",)), name

    def get(self, name: str) -> Variant:
        """A variant by name: a member, a family's prefix with a depth, or the twin of either.

        Raises:
            HarnessError: There is none; the nearest name is suggested.
        """
        for family in self.families.values():
            for prefix, change in (
                (family.member_prefix, {}),
                (family.twin.prefix, {"shortcut": family.twin.shortcut}),
            ):
                member = family.member_prefix + name.removeprefix(prefix)
                if name.startswith(prefix) and member in family.members:
                    return family.variant({**family.members[member], **change}, name)
                match = re.fullmatch(re.escape(prefix) + r"([0-9]{1,9})(?:-(\w+))?", name)
                if match and family.depth and match[2] in (None, *family.depth):
                    return family.variant({**family.of_depth(int(match[1]), match[2])[0], **change}, name)
        known = [variant.name for variant in self.members()]
        raise HarnessError(
            f"there is no variant '{name}'",
            where="variant",
            remedy=f"{nearest(name, known)} `harness variants` shows all.",
        )

    def changed(self, name: str, assignments: Sequence[str]) -> Variant:
        """A variant by name with ``field=value`` assignments applied, as ``--set`` gives them.

        Raises:
            HarnessError: There is no such variant, or what comes out is none.
        """
        base = self.get(name)
        document = Document(Path(base.name), base.model_dump(mode="json"), {})
        for assignment in assignments:
            document.override(assignment)
        variant = validate(Variant, document.data, document)
        fields = [key for key in Variant.model_fields if getattr(variant, key) != getattr(base, key)]
        return variant.model_copy(
            update={"name": base.name + _suffix(base, {field: getattr(variant, field) for field in fields})}
        )

    def family(self, name: str) -> Family:
        """A family by name.

        Raises:
            HarnessError: There is none; the nearest name is suggested.
        """
        if name not in self.families:
            raise HarnessError(f"there is no family '{name}'", where="family", remedy=nearest(name, self.families))
        return self.families[name]

    def choose(self, choice: Choice, info: DataInfo, document: Document, at: tuple[str | int, ...]) -> list[Variant]:
        """The variants of one entry of an experiment, fitted to its data's channels and classes."""
        for name in choice.set:
            if name in FROM_DATA:
                raise HarnessError(
                    f"{name} comes from the data set", where=document.where((*at, "set", name)), remedy="Leave it out."
                )
        if "name" in choice.set or "family" in choice.set:
            raise HarnessError("use label to name a variant", where=document.where((*at, "set")))
        fit = {"in_channels": info.channels, "classes": info.classes}

        def changed(base: Variant, name: str | None) -> Variant:
            fields = base.model_dump() | choice.set | fit
            variant = validate(Variant, fields, document, (*at, "set"))
            suffix = _suffix(base, {field: getattr(variant, field) for field in choice.set})
            return variant.model_copy(update={"name": choice.label or (name or base.name) + suffix})

        if choice.name is not None:
            base = self.get(choice.name)
            return [changed(base, None)]
        family = self.family(str(choice.family))
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
                fields, name = family.of_depth(depth, choice.block)
                base = family.variant({**fields, "shortcut": shortcut}, name)
                if shortcut == family.twin.shortcut:
                    name = family.twin_name(name)
                elif shortcut != usual:
                    name += f"-{shortcut}"
                found.append(changed(base, name))
        return found


def _suffix(base: Variant, changes: dict[str, Any]) -> str:
    """A changed variant does not carry the unchanged one's name: widths [8, 16, 32] adds ``-w8``."""
    parts = []
    for field, value in changes.items():
        unchanged = getattr(base, field) == value
        if field == "widths" and not unchanged:
            parts.append(f"-w{value[0]}")
        elif not unchanged:
            shown = "-".join(map(str, value)) if isinstance(value, list | tuple) else value
            parts.append(f"-{field}-{shown}")
    return "".join(parts)


def load_family(path: Path) -> Family:
    """Read one file of ``variants/``, and build each member once so that errors show here.

    Raises:
        HarnessError: The file is not a family, or a member of it is no variant.
    """
    document = read(path)
    family = validate(Family, document.data, document)
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


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> tuple[Experiment, Document]:
    """Read one file of ``experiments/`` with ``--set`` overrides applied.

    Raises:
        HarnessError: The file, or an override, is not an experiment.
    """
    document = read(path)
    for assignment in overrides:
        document.override(assignment)
    return validate(Experiment, document.data, document), document


def find_experiment(name: str) -> Path:
    """The file of an experiment given as a path or by name.

    Raises:
        HarnessError: There is no such file on any shelf.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        with suppress(OSError):  # a name that is too long for a file
            if path.is_file():
                return path
        name, wanted = path.stem, path.parent
        if wanted not in (Path("experiments"), Path()):
            raise HarnessError("no such file", where=str(path), remedy="Give the path of an experiment's YAML.")
    found = {file.stem: file for shelf in reversed(shelves("experiments")) for file in shelf.glob("*.yaml")}
    if name not in found:
        raise HarnessError(f"there is no experiment '{name}'", where="experiments/", remedy=nearest(name, found))
    return found[name]


def resolve(experiment: Experiment, document: Document, catalogue: Catalogue, info: DataInfo) -> Study:
    """Expand an experiment's variants and contrasts.

    Raises:
        HarnessError: A variant does not exist, two share a name, a contrast compares what is not there.
    """
    choices = sum(max(len(c.depth), 1) * max(len(c.shortcut), 1) for c in experiment.variants)
    if choices * len(experiment.seeds) > MOST_TRIALS:
        raise HarnessError(
            f"{choices:,} variants by {len(experiment.seeds):,} seeds are too many trials",
            where=document.where(("seeds",)),
            remedy=f"Plan at most {MOST_TRIALS:,} in one experiment.",
        )
    variants: list[Variant] = []
    listed = isinstance(document.data.get("variants"), list)
    for index, choice in enumerate(experiment.variants):
        at: tuple[str | int, ...] = ("variants", index) if listed else ("variants",)
        try:
            variants += catalogue.choose(choice, info, document, at)
        except HarnessError as error:
            if document.file in error.where or error.where.startswith("--set"):
                raise
            raise HarnessError(error.what, where=document.where((*at, error.where)), remedy=error.remedy) from error
    seen: dict[str, str] = {}
    for variant in variants:
        network = digest(variant.identity(), 64)
        other = variant.name if variant.name in seen.values() else seen.get(network)
        if other is not None:
            raise HarnessError(
                f"{variant.name} stands there twice" + (f", also as {other}" if other != variant.name else ""),
                where=document.where(("variants",)),
                remedy="Remove one, or give it a label.",
            )
        seen[network] = variant.name
    study = Study(experiment=experiment, variants=tuple(variants), data=info)
    try:
        cells = study.cells
    except HarnessError as error:
        raise HarnessError(error.what, where=document.where(("contrasts",)), remedy=error.remedy) from error
    # A report names the variants that were compared, with the suffix that `set` gave them.
    named = [
        contrast.model_copy(update=found) if isinstance(contrast, Difference) else contrast
        for contrast, found in zip(experiment.contrasts, cells, strict=True)
    ]
    return study.model_copy(update={"experiment": experiment.model_copy(update={"contrasts": tuple(named)})})
