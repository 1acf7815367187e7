"""The sentences of a difference contrast."""

from __future__ import annotations

from harness.reporting.formatting import format_number, format_percent
from harness.reporting.statistics.proportions import share_bound
from harness.reporting.verdicts.sentences.failures import describe_untrainable
from harness.reporting.verdicts.sentences.phrases import format_effects, format_evidence, format_metric, format_n
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import Difference

RELATIONS = {"less": "lower than", "greater": "higher than", "two-sided": "different from"}
"""The relation between the metrics of a and b that each side claims."""


def answer_difference(verdict: Verdict, contrast: Difference) -> str:
    """Return one short sentence that answers the contrast."""
    (component,) = verdict.components
    metric, others = format_metric(contrast.metric).lower(), f"{contrast.a} is"
    if verdict.untrained:
        return f"Not decided: {describe_untrainable(verdict.untrained)}."
    if verdict.state == "undecided" or component.reached_outcome is None:
        return f"Not decided: whether the {metric} of {others} {RELATIONS[contrast.side]} that of {contrast.b}."
    points = format_number(abs(component.weakest_test.effect or 0.0))
    direction = component.reached_outcome.outcome.name
    start = "Yes" if verdict.state == "supported" else "No"
    return f"{start}: the {metric} of {others} {direction} than that of {contrast.b}, by {points} points."


def describe_share_opposite(verdict: Verdict) -> str:
    """Return for which share of seeds the difference may still have the other sign, as a clause; empty if undecided."""
    (component,) = verdict.components
    if verdict.state == "undecided" or component.reached_outcome is None:
        return ""
    (test,) = component.tests
    differences = list(test.differences.values())[: verdict.n]
    on_side = sum(map(component.reached_outcome.outcome.holds_for, differences))
    share = format_percent(round(share_bound(on_side, len(differences)), 2))
    return f"up to {share} of seeds may still show no difference or the opposite (95 %)"


def describe_difference(verdict: Verdict, contrast: Difference) -> str:
    """Return what was found, with effect, interval and p."""
    (component,) = verdict.components
    metric, reached = format_metric(contrast.metric).lower(), component.reached_outcome
    if component.untrainable:
        return f"the difference has no outcome ({format_effects(component)}). {format_n(verdict)}."
    evidence = format_evidence(component, verdict)
    if verdict.state == "undecided" or reached is None:
        return (
            f"it is undecided whether the {metric} of {contrast.a} is {RELATIONS[contrast.side]} that of {contrast.b} "
            f"({format_effects(component)}; {evidence}). {format_n(verdict)}."
        )
    points = format_number(abs(component.weakest_test.effect or 0.0))
    return (
        f"the {metric} of {contrast.a} is {reached.outcome.name} than that of {contrast.b} by {points} points "
        f"({evidence}). {format_n(verdict)}."
    )
