"""Differences between the first declaration of an experiment and a later one, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.specs.declarations.declaration import Declaration, DeclaredContrast

MOST_RANGES = 4
"""Ranges of seeds that are listed; more are counted."""


@dataclass(frozen=True)
class DeclarationChanges:
    """A comparison of two declarations.

    Attributes:
        changes: Every change that could make a verdict easier to reach, in words, such as ``margin 0.5 → 1``.
        first_of: For each contrast of the later declaration by its key, the first one that it replaces.
    """

    changes: tuple[str, ...]
    first_of: Mapping[str, DeclaredContrast] = field(default_factory=dict)

    def is_added(self, contrast: DeclaredContrast) -> bool:
        """Return whether the first declaration has nothing in the place of a contrast."""
        return contrast.key not in self.first_of


def compare_declarations(first: Declaration, later: Declaration) -> DeclarationChanges:
    """Compare two declarations.

    A contrast that was added is no change: it makes the family larger and every other verdict harder to reach. A
    contrast that was removed makes the others easier to reach. Names, order and reasons do not count.
    """
    pairs = _pair_contrasts(first, later)
    kept = {contrast.key for contrast in pairs.values()}
    removed = [contrast for contrast in first.contrasts if contrast.key not in kept]
    is_only = len(first.contrasts) == len(later.contrasts) == 1
    changes = []
    for contrast in later.contrasts:
        if contrast.key in pairs:
            changed = _list_changed_fields(pairs[contrast.key], contrast)
            label = "" if is_only else f"{describe_contrast(contrast)}: "
            changes += [f"{label}{change}" for change in changed]
    changes += [f"removed: {describe_contrast(contrast)}" for contrast in removed]
    if later.verdicts < first.verdicts and not removed:
        changes.append(f"number of verdicts {first.verdicts} → {later.verdicts}")
    if first.level != later.level:
        changes.append(f"level {first.level:g} → {later.level:g}")
    for name in ("looks", "decide", "untrained_tolerance"):
        before, after = getattr(first, name), getattr(later, name)
        if before != after:
            changes.append(f"{name.replace('_', ' ')} {format_value(before)} → {format_value(after)}")
    if first.decide is not None and first.decide == later.decide and first.seeds != later.seeds:
        changes.append(f"seeds {format_seeds(first.seeds)} → {format_seeds(later.seeds)}")
    return DeclarationChanges(tuple(changes), pairs)


def _pair_contrasts(first: Declaration, later: Declaration) -> dict[str, DeclaredContrast]:
    """Return the first contrast that each later one replaces, by the later one's key.

    Contrasts that claim the same are paired first. Of the others, those that compare the same variants are paired: if
    possible in the same metric, then of the same kind.
    """
    keys = {contrast.key for contrast in first.contrasts}
    pairs = {contrast.key: contrast for contrast in later.contrasts if contrast.key in keys}
    open_first = [contrast for contrast in first.contrasts if contrast.key not in pairs]
    for names in (("kind", "metric", "target", "unit"), ("kind",), ()):
        for contrast in later.contrasts:
            same = [
                candidate
                for candidate in open_first
                if candidate.compared == contrast.compared
                and all(candidate.fields.get(name) == contrast.fields.get(name) for name in names)
            ]
            if contrast.key not in pairs and same:
                pairs[contrast.key] = same[0]
                open_first.remove(same[0])
    return pairs


def _list_changed_fields(first: DeclaredContrast, later: DeclaredContrast) -> list[str]:
    """Return the changed fields of one contrast, in words."""
    before, after = first.fields, later.fields
    names = [name for name in dict.fromkeys([*before, *after]) if name != "variants"]
    changes = []
    for name in names:
        if before.get(name) != after.get(name):
            values = before.get(name), after.get(name)
            if name == "side" and first.roles == later.roles:
                # As the file has it, not in the common order of the two variants.
                values = getattr(first.contrast, name), getattr(later.contrast, name)
            changes.append(f"{name.replace('_', ' ')} {format_value(values[0])} → {format_value(values[1])}")
            if name == "side" and first.roles != later.roles:
                changes[-1] += f" (a and b exchanged: {_list_names(first)} → {_list_names(later)})"
    if before["variants"] != after["variants"]:
        changes.append(f"compared variants {_list_names(first)} → {_list_names(later)}")
    return changes


def describe_contrast(contrast: DeclaredContrast) -> str:
    """Return a contrast in a few words: its kind and what it compares."""
    spec = contrast.contrast
    if spec.kind == "degradation":
        return f"degradation from {spec.shallow} to {spec.deep} layers"
    metric = f" in {spec.metric}" if spec.kind == "difference" else ""
    return f"{spec.kind.replace('_', ' ')}{metric} between {_list_names(contrast)}"


def describe_declaration(declaration: Declaration, contrast: DeclaredContrast) -> str:
    """Return what was declared for one contrast, in words: its fields, the level, and when it is analysed."""
    fields = {name: value for name, value in contrast.fields.items() if name not in ("kind", "variants")}
    if "side" in fields:
        # In the orientation of the file.
        fields["side"] = getattr(contrast.contrast, "side", fields["side"])
    parts = [f"{name.replace('_', ' ')} {format_value(value)}" for name, value in fields.items()]
    parts.append(f"level {declaration.level:g} over {declaration.verdicts} verdict{'s' * (declaration.verdicts != 1)}")
    if declaration.looks:
        parts.append(f"looks {format_value(declaration.looks)}")
    if declaration.decide is not None:
        parts.append(f"decide {declaration.decide}")
    if declaration.is_fixed:
        parts.append(f"seeds {format_seeds(declaration.seeds)}")
    return ", ".join(parts)


def format_value(value: Any) -> str:
    """Return the value of a declared field in words."""
    if value in (None, (), ""):
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return " ".join(format_value(part) for part in value.values())
    if isinstance(value, list | tuple):
        return ", ".join(format_value(part) for part in value)
    return str(value)


def format_seeds(seeds: Iterable[int]) -> str:
    """Return seeds as ranges, such as ``0 to 7``; many ranges are only counted."""
    ranges: list[list[int]] = []
    for seed in sorted(seeds):
        if ranges and seed == ranges[-1][1] + 1:
            ranges[-1][1] = seed
        else:
            ranges.append([seed, seed])
    if len(ranges) > MOST_RANGES:
        return f"{sum(last - start + 1 for start, last in ranges)} seeds from {ranges[0][0]} to {ranges[-1][1]}"
    return ", ".join(f"{start}" if start == last else f"{start} to {last}" for start, last in ranges) or "none"


def _list_names(contrast: DeclaredContrast) -> str:
    return " and ".join(variant.name for variant in contrast.variants.values())
