"""What is set otherwise than when an experiment was last run, in words."""

from __future__ import annotations

from typing import Any

from harness.specs import ResolvedExperiment
from harness.specs.identity import digest


def describe_changes(before: ResolvedExperiment, after: ResolvedExperiment) -> tuple[str, ...]:
    """What two runs of an experiment set differently, one line for each field."""
    old, new = (_flat(study.model_dump(mode="json", exclude=NO_CHANGE)["experiment"]) for study in (before, after))
    lines = [
        f"{key}: {old.get(key, '(none)')} -> {new.get(key, '(none)')}"
        for key in old | new
        if old.get(key) != new.get(key)
    ]
    for what, were, are in (
        ("seeds", [str(s) for s in before.experiment.seeds], [str(s) for s in after.experiment.seeds]),
        ("variants", _named(before), _named(after)),
    ):
        gone, added = [x for x in were if x not in are], [x for x in are if x not in were]
        if gone or added:
            lines.append(
                f"{what}: " + "; ".join(f"{w} {', '.join(x)}" for w, x in (("without", gone), ("new", added)) if x)
            )
    if before.data.fingerprint != after.data.fingerprint:
        lines.append(f"the data's content: {before.data.fingerprint} -> {after.data.fingerprint}")
    return tuple(lines)


NO_CHANGE: Any = {"experiment": {"seeds": True, "variants": True, "data": {"root"}}}


def _named(study: ResolvedExperiment) -> list[str]:
    """Variants by name, told apart by what they are."""
    return [f"{variant.name} ({digest(variant.identity(), 6)})" for variant in study.variants]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys; what is not set is left out."""
    if not isinstance(value, dict):
        return {} if value is None else {prefix.rstrip("."): value}
    return {key: leaf for name, inside in value.items() for key, leaf in _flat(inside, f"{prefix}{name}.").items()}
