"""The question that a contrast asks: at equal shape, equal parameters, equal MACs or equal measured time.

These are different questions, and their answers may differ (docs/costs.md). So every contrast names its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.specs.experiment.variant_selection import VariantSelection
from harness.specs.identity import digest
from harness.specs.matching.match import COST_WORDS, TOLERANCE, FoundMatch, Match, describe_match
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.variant import Variant

ShapeOrCost = Literal["shape", "params", "macs", "step_time", "none"]
SHAPE_FREE = frozenset({*Variant.labels, "shortcut", "zero_init_last", "residual_scale", "stochastic_depth", "weights"})
"""Fields of a variant that may differ at equal shape."""


@dataclass(frozen=True)
class Question:
    """The quantity that is equal between the networks that a contrast compares.

    Attributes:
        kind: What is equal: ``shape``, ``params``, ``macs``, ``step_time``, or ``none`` of them.
        phrase: Completes a sentence: ``at equal MACs (within 0.2 %)``.
        ratio: Cost of variant a divided by that of variant b, of the cost that is equal; None where it is the shape.
    """

    kind: ShapeOrCost
    phrase: str
    ratio: float | None = None


def classify_question(
    names: Mapping[str, str],
    variants: Sequence[AnyVariant],
    selections: Iterable[VariantSelection] = (),
    costs: Mapping[str, tuple[float, float]] | None = None,
) -> Question:
    """Return the question that a contrast asks.

    A match that was declared between two compared networks comes first, because it is what the experiment asks. Then
    comes equal shape: the networks differ in nothing but their shortcuts.

    Args:
        names: Names of the compared variants by their role in the contrast, as ``contrast.find_variants`` returns them.
        variants: The variants of the experiment.
        selections: The experiment's selections, with what their matches have found.
        costs: Parameters and MACs for one image, by the name of each variant, where they are known.
    """
    compared = [variant for variant in variants if variant.name in names.values()]
    for match, found in _list_matches(selections):
        if question := _matched_question(match, found, names, compared):
            return question
    if set(names) == {"plain_shallow", "plain_deep", "residual_shallow", "residual_deep"}:
        return Question("shape", "at equal shape: plain and residual networks of one depth have the same layers")
    shapes = {_shape_of(variant) for variant in compared}
    if len(shapes) == 1 and None not in shapes:
        return Question("shape", "at equal shape" + _cost_clause(names, costs))
    return _cost_question(names, costs)


def _list_matches(selections: Iterable[VariantSelection]) -> list[tuple[Match, FoundMatch]]:
    return [
        (selection.match, found)
        for selection in selections
        if selection.match is not None
        for found in selection.match.found
    ]


def _matched_question(
    match: Match, found: FoundMatch, names: Mapping[str, str], compared: Sequence[AnyVariant]
) -> Question | None:
    """Return the question of a match between two compared networks; None if it is between others."""
    matched = [variant for variant in compared if variant.name == found.result]
    targets = [variant for variant in compared if variant.name == found.to]
    if not matched or not targets:
        return None
    ratio = found.ratio if names.get("a") == matched[0].name else 1 / found.ratio
    percent = max(100 * abs(found.ratio - 1), 0.01)
    interval = f"; ratio {found.ratio:.3f}, {found.interval}" if found.interval else ""
    return Question(match.by, f"at equal {COST_WORDS[match.by]} (within {percent:.2g} %{interval})", ratio)


def _shape_of(variant: AnyVariant) -> str | None:
    """Return a hash of everything but the shortcuts; None for an external network, whose layers are not declared."""
    if not isinstance(variant, Variant):
        return None
    return digest(variant.model_dump(mode="json", exclude=set(SHAPE_FREE)))


def _cost_clause(names: Mapping[str, str], costs: Mapping[str, tuple[float, float]] | None) -> str:
    """Return what differs in cost at equal shape, in parentheses; empty if nothing does or it is not known."""
    ratios = _ratios(names, costs)
    if ratios is None or all(abs(ratio - 1) <= TOLERANCE for ratio in ratios):
        return ""
    params, macs = ratios
    return f" ({params:.3g} times the parameters and {macs:.3g} times the MACs)"


def _cost_question(names: Mapping[str, str], costs: Mapping[str, tuple[float, float]] | None) -> Question:
    """Return the question of networks of unequal shape, by their counted costs."""
    ratios = _ratios(names, costs)
    if ratios is None:
        return Question("none", "at unequal shape, and their costs were not matched")
    params, macs = ratios
    has_equal = {"params": abs(params - 1) <= TOLERANCE, "macs": abs(macs - 1) <= TOLERANCE}
    if any(has_equal.values()):
        equal = " and ".join(COST_WORDS[key] for key, is_equal in has_equal.items() if is_equal)
        kind: ShapeOrCost = "macs" if has_equal["macs"] else "params"
        return Question(kind, f"at equal {equal}, and unequal shape", macs if kind == "macs" else params)
    return Question(
        "none", f"at unequal shape and cost: {params:.3g} times the parameters and {macs:.3g} times the MACs"
    )


def _ratios(names: Mapping[str, str], costs: Mapping[str, tuple[float, float]] | None) -> tuple[float, float] | None:
    """Return parameters and MACs of variant a, divided by those of variant b; None where they are not known."""
    if costs is None or not {"a", "b"} <= names.keys() or not {names["a"], names["b"]} <= costs.keys():
        return None
    (params_a, macs_a), (params_b, macs_b) = costs[names["a"]], costs[names["b"]]
    return params_a / params_b, macs_a / macs_b


def describe_matches(selections: Iterable[VariantSelection]) -> list[str]:
    """Return one sentence for each network that a match has found: what it has, and how equal the costs are."""
    return [describe_match(match, found) for match, found in _list_matches(selections)]
