"""The lines of a figure: variants that differ in depth alone share a line, a colour and a marker."""

from __future__ import annotations

from dataclasses import dataclass

from harness.reporting.figures.style import MARKERS, PLAIN_COLOURS, RESIDUAL_COLOURS
from harness.specs import ExternalNetwork, ResolvedExperiment, Variant
from harness.specs.identity import canonical
from harness.specs.network.any_variant import AnyVariant
from harness.text import one_line

MAX_SERIES = 12
"""Most lines that a reader can tell apart by a legend. Beyond, only tables and results.csv show all variants."""
MAX_ROWS = 60
"""Most variants whose names can be read in a figure with one row for each."""


@dataclass(frozen=True)
class Series:
    """Variants that differ in depth alone, by rising depth, with the style of their line."""

    label: str
    is_plain: bool
    variants: tuple[AnyVariant, ...]
    colour: str
    marker: str

    @property
    def depths(self) -> list[int]:
        """The depths of its variants, rising."""
        return [variant.depth for variant in self.variants]


def group_into_series(study: ResolvedExperiment) -> list[Series]:
    """Return the lines that hold the experiment's variants, in the order of the first variant of each.

    Two variants of the same depth never share a line, even where only their blocks per stage differ.
    """
    groups: dict[str, list[AnyVariant]] = {}
    for variant in study.variants:
        kind = canonical({k: v for k, v in variant.identity().items() if k != "blocks"} | {"family": variant.family})
        depths = {v.depth for v in groups.get(kind, [])}
        groups.setdefault(f"{kind}/{variant.name}" if variant.depth in depths else kind, []).append(variant)
    lines: list[Series] = []
    labels = [_choose_label(members, study) for members in groups.values()]
    for members, label in zip(groups.values(), labels, strict=True):
        is_plain = members[0].is_plain
        palette = PLAIN_COLOURS if is_plain else RESIDUAL_COLOURS
        colour = palette[sum(line.is_plain == is_plain for line in lines) % len(palette)]
        if labels.count(label) > 1:
            label = f"{label}: {shorten_label(members[0].name)}" + (" ..." if len(members) > 1 else "")
        marker = _choose_marker(lines, colour)
        ordered = tuple(sorted(members, key=lambda v: v.depth))
        lines.append(Series(label, is_plain, ordered, colour, marker))
    return lines


def _choose_marker(lines: list[Series], colour: str) -> str:
    """Return the marker of the next line: the next in turn that no line of the same colour has."""
    start = len(lines) % len(MARKERS)
    markers = MARKERS[start:] + MARKERS[:start]
    used = {line.marker for line in lines if line.colour == colour}
    return next((marker for marker in markers if marker not in used), markers[0])


def _choose_label(members: list[AnyVariant], study: ResolvedExperiment) -> str:
    """Return ``plain`` or ``residual``, with the shortcut, block and family where the lines differ in them."""
    if isinstance(members[0], ExternalNetwork):
        return shorten_label(members[0].name)
    variants = [v for v in study.variants if isinstance(v, Variant)]
    shortcuts = {v.shortcut for v in variants if not v.is_plain}
    families = {(v.family, v.block) for v in variants}
    name = "plain" if members[0].is_plain else "residual" if len(shortcuts) == 1 else f"residual, {members[0].shortcut}"
    if len(families) == 1:
        return name
    has_several_families = len({family for family, _ in families}) > 1
    family = f"{shorten_label(members[0].family)} " if has_several_families else ""
    return f"{family}{members[0].block}, {name}"


def shorten_label(name: str, limit: int = 28) -> str:
    """Return a name on one line of at most ``limit`` characters, for a figure.

    A dollar sign is escaped, because matplotlib would read it as the start of a formula.
    """
    flat = one_line(name).replace("$", r"\$")
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def has_few_series(study: ResolvedExperiment) -> bool:
    """Return whether a reader can tell the experiment's lines apart in one figure."""
    return len(group_into_series(study)) <= MAX_SERIES


def has_several_depths(study: ResolvedExperiment) -> bool:
    """Return whether some line holds more than one depth."""
    return any(len(line.variants) > 1 for line in group_into_series(study))
