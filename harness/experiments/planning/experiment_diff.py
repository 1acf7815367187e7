"""The differences between an experiment and its last run, as text."""

from __future__ import annotations

from typing import Any

from harness.specs import ResolvedExperiment
from harness.specs.identity import digest

LISTED_APART: Any = {"experiment": {"seeds": True, "variants": True, "data": {"root", "layout"}}}
"""Fields left out of the comparison of single fields: seeds and variants have lines of their own, and the directory of
the data and its layout decide no result that its fingerprint does not show."""


def describe_changes(before: ResolvedExperiment, after: ResolvedExperiment) -> tuple[str, ...]:
    """Return one line for each field that two runs of an experiment set differently."""
    old, new = (
        _flatten(study.model_dump(mode="json", exclude=LISTED_APART)["experiment"]) for study in (before, after)
    )
    lines = [
        f"{key}: {old.get(key, '(none)')} -> {new.get(key, '(none)')}"
        for key in old | new
        if old.get(key) != new.get(key)
    ]
    seeds_before, seeds_after = ([str(seed) for seed in study.experiment.seeds] for study in (before, after))
    lines += _list_changes("seeds", seeds_before, seeds_after)
    lines += _list_changes("variants", _variant_names(before), _variant_names(after))
    if before.data.fingerprint != after.data.fingerprint:
        lines.append(f"the data's content: {before.data.fingerprint} -> {after.data.fingerprint}")
    return tuple(lines)


def _list_changes(field: str, before: list[str], after: list[str]) -> list[str]:
    """Return the line on a list in which items were removed or added; no line if there are none."""
    removed, added = [item for item in before if item not in after], [item for item in after if item not in before]
    parts = [f"{word} {', '.join(items)}" for word, items in (("without", removed), ("new", added)) if items]
    return [f"{field}: {'; '.join(parts)}"] if parts else []


def _variant_names(study: ResolvedExperiment) -> list[str]:
    """Return the variants' names, each with a digest of its spec."""
    return [f"{variant.name} ({digest(variant.identity(), 6)})" for variant in study.variants]


def _flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings into one with dotted keys; leave values of None out."""
    if not isinstance(value, dict):
        return {} if value is None else {prefix.rstrip("."): value}
    return {key: leaf for name, inner in value.items() for key, leaf in _flatten(inner, f"{prefix}{name}.").items()}
