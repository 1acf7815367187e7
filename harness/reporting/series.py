"""Which variants belong on one line: those that differ in depth only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from harness.reporting.figures.style import MARKERS, PLAIN_COLOURS, RESIDUAL_COLOURS
from harness.specs import ExternalNetwork, ResolvedExperiment, Variant
from harness.specs.identity import canonical
from harness.specs.network.any_variant import AnyVariant
from harness.text import one_line

MAX_SERIES = 12
"""Kinds of variant that a figure with a legend can still tell apart; beyond, tables and results.csv say more."""
MAX_ROWS = 60
"""Variants whose names can be read in a figure with a row for each."""


@dataclass(frozen=True)
class Series:
    """Variants of one kind by rising depth, with how they are drawn."""

    label: str
    plain: bool
    variants: tuple[AnyVariant, ...]
    colour: str
    marker: str

    @property
    def depths(self) -> list[int]:
        """Of its variants, rising."""
        return [variant.depth for variant in self.variants]


def group_into_series(study: ResolvedExperiment) -> list[Series]:
    """The study's variants in lines; two of one kind and depth (other blocks per stage) are not put on one."""
    groups: dict[str, list[AnyVariant]] = {}
    for variant in study.variants:
        kind = canonical({k: v for k, v in variant.identity().items() if k != "blocks"} | {"family": variant.family})
        taken = {v.depth for v in groups.get(kind, [])}
        groups.setdefault(f"{kind}/{variant.name}" if variant.depth in taken else kind, []).append(variant)
    made: list[Series] = []
    labels = [_label(members, study) for members in groups.values()]
    for members, label in zip(groups.values(), labels, strict=True):
        plain = members[0].plain
        others = sum(line.plain == plain for line in made)
        palette = PLAIN_COLOURS if plain else RESIDUAL_COLOURS
        colour = palette[others % len(palette)]
        if labels.count(label) > 1:
            label = f"{label}: {shorten_label(members[0].name)}" + (" ..." if len(members) > 1 else "")
        turned = MARKERS[len(made) % len(MARKERS) :] + MARKERS[: len(made) % len(MARKERS)]
        taken_by = {other.marker for other in made if other.colour == colour}
        marker = next((mark for mark in turned if mark not in taken_by), turned[0])
        ordered = tuple(sorted(members, key=lambda v: v.depth))
        made.append(Series(label, plain, ordered, colour, marker))
    return made


def _label(members: list[AnyVariant], study: ResolvedExperiment) -> str:
    if isinstance(members[0], ExternalNetwork):
        return shorten_label(members[0].name)
    ours = [v for v in study.variants if isinstance(v, Variant)]
    shortcuts = {v.shortcut for v in ours if not v.plain}
    families = {(v.family, v.block) for v in ours}
    name = "plain" if members[0].plain else "residual" if len(shortcuts) == 1 else f"residual, {members[0].shortcut}"
    if len(families) == 1:
        return name
    several = len({family for family, _ in families}) > 1
    return f"{shorten_label(members[0].family) + ' ' if several else ''}{members[0].block}, {name}"


def shorten_label(name: str, limit: int = 28) -> str:
    """For a legend; ``$`` would start mathematics in matplotlib."""
    flat = one_line(name).replace("$", r"\$")
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def has_few_series(study: ResolvedExperiment) -> bool:
    """Whether the kinds of variant are few enough for lines of their own in a figure."""
    return len(group_into_series(study)) <= MAX_SERIES


def has_several_depths(study: ResolvedExperiment) -> bool:
    """Whether some kind of variant comes in several depths."""
    return any(len(line.variants) > 1 for line in group_into_series(study))


def list_seed_values(final: pd.DataFrame, variant: AnyVariant, key: str) -> list[float]:
    """Last-epoch values of one variant by rising seed, what was not measured left out."""
    return list(dict(sorted(values_by_seed(final, variant.name, key).items())).values())


def values_by_seed(final: pd.DataFrame, variant: str, key: str) -> dict[int, float]:
    """One variant's last-epoch ``key`` by seed, in the order of the table, what was not measured left out.

    Over arrays: of thousands of variants, selecting rows of a frame for each would take minutes.
    """
    mine = (final["variant"] == variant).to_numpy(dtype=bool)
    pairs = zip(final["seed"].to_numpy()[mine].tolist(), final[key].to_numpy()[mine].tolist(), strict=True)
    return {seed: value for seed, value in pairs if not math.isnan(value)}
