"""The differences between an experiment and its last run, as text."""

from __future__ import annotations

from typing import Any

from harness.specs import ResolvedExperiment
from harness.specs.experiment.data import exclude_from_data
from harness.specs.experiment.experiment import Experiment
from harness.specs.identity import digest

LISTED_APART: Any = {"seeds": True, "variants": True}
"""Fields left out of the comparison of single fields, because they have lines of their own."""
DATA_LABELS = ("root", "layout")
"""Fields of the data that are left out: they decide no result that its fingerprint does not show."""


def describe_changes(before: ResolvedExperiment, after: ResolvedExperiment) -> tuple[str, ...]:
    """Return one line for each field that two runs of an experiment set differently."""
    old, new = (_list_fields(study.experiment) for study in (before, after))
    lines = [
        f"{key}: {old.get(key, '(none)')} -> {new.get(key, '(none)')}"
        for key in old | new
        if old.get(key) != new.get(key)
    ]
    seeds_before, seeds_after = ([str(seed) for seed in study.experiment.seeds] for study in (before, after))
    lines += _list_changes("seeds", seeds_before, seeds_after)
    lines += _list_changes("variants", _variant_names(before), _variant_names(after))
    contents = {info.title: info.fingerprint for info in before.data_sets}
    lines += [
        f"the data's content: {contents[info.title]} -> {info.fingerprint}"
        for info in after.data_sets
        if contents.get(info.title, info.fingerprint) != info.fingerprint
    ]
    return tuple(lines)


def _list_fields(experiment: Experiment) -> dict[str, Any]:
    """Return the fields of an experiment with dotted keys; with several data sets, data.0 is the first of them."""
    excluded = LISTED_APART | {"data": exclude_from_data(experiment.data, *DATA_LABELS)}
    fields = experiment.model_dump(mode="json", exclude=excluded)
    if isinstance(fields["data"], list):
        fields["data"] = {str(index): data for index, data in enumerate(fields["data"])}
    return _list_leaves(fields)


def _list_changes(field: str, before: list[str], after: list[str]) -> list[str]:
    """Return the line on a list in which items were removed or added; no line if there are none."""
    removed, added = [item for item in before if item not in after], [item for item in after if item not in before]
    parts = [f"{word} {', '.join(items)}" for word, items in (("without", removed), ("new", added)) if items]
    return [f"{field}: {'; '.join(parts)}"] if parts else []


def _variant_names(study: ResolvedExperiment) -> list[str]:
    """Return the variants' names, each with a digest of its spec."""
    return [f"{variant.name} ({digest(variant.identity(), 6)})" for variant in study.variants]


def _list_leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings into one with dotted keys; leave values of None out."""
    if not isinstance(value, dict):
        return {} if value is None else {prefix.rstrip("."): value}
    return {key: leaf for name, inner in value.items() for key, leaf in _list_leaves(inner, f"{prefix}{name}.").items()}
