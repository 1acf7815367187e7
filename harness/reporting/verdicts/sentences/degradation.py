"""The sentences of a degradation contrast."""

from __future__ import annotations

from harness.reporting.formatting import format_number, format_percent, join_words
from harness.reporting.statistics.proportions import share_bound
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.effect_tests import collect_common_differences
from harness.reporting.verdicts.sentences.failures import describe_untrainable
from harness.reporting.verdicts.sentences.phrases import (
    describe_outcome,
    format_effects,
    format_evidence,
    format_family,
    format_n,
    format_size,
    name_component,
)
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import Degradation

SUBJECTS = {
    "plain": "the training error of the plain networks",
    "residual": "the training error of the residual networks",
    "interaction": "the change of the plain networks",
}
"""The subject of the sentences on each component."""


def answer_degradation(verdict: Verdict, contrast: Degradation) -> str:
    """Return one short sentence that answers the contrast."""
    depths = f"from depth {contrast.shallow} to {contrast.deep}{format_family(contrast)}"
    plain, *_ = verdict.components
    if verdict.state == "supported":
        return (
            f"Yes: {depths}, {SUBJECTS['plain']} rises by {_format_effect(plain)} points, and that of the residual "
            f"networks by less than {format_size(contrast.margin)}."
        )
    if verdict.state == "contradicted":
        return f"No: {depths}, {_list_contradictions(verdict)}."
    if verdict.untrained:
        return f"Not decided: {depths}, {describe_untrainable(verdict.untrained)}{_describe_trainable(verdict)}."
    return f"Not decided: whether {depths} only the plain networks get a higher training error."


def _describe_trainable(verdict: Verdict) -> str:
    """Return what is known of the change whose networks do train, as a clause; empty where there is none."""
    for component in verdict.components:
        if not component.untrainable:
            if component.reached_outcome is None:
                return f", and {name_component(component)} is undecided too"
            return f"; {SUBJECTS[component.name]} {describe_outcome(component.reached_outcome)}"
    return ""


def describe_degradation(verdict: Verdict, contrast: Degradation) -> str:
    """Return what was found, with effects in both training errors, intervals and p values."""
    start = f"from depth {contrast.shallow} to depth {contrast.deep}{format_family(contrast)}, "
    components = [c for c in verdict.components if c.contradicts or verdict.state != "contradicted"]
    findings = [_describe_component(component, verdict) for component in components]
    return f"{start}{'; '.join(findings)}. {format_n(verdict)}."


def _describe_component(component: Component, verdict: Verdict) -> str:
    """Return the outcome of a component, or the claimed one that was not established, with its numbers."""
    if component.untrainable:
        return f"{name_component(component)} has no outcome ({format_effects(component)})"
    result = component.shown_outcome
    numbers = f"({format_effects(component)}; {format_evidence(component, verdict)})"
    claim = f"{SUBJECTS[component.name]} {describe_outcome(result)}"
    if component.reached_outcome is None:
        return f"it is undecided whether {claim} {numbers}"
    if result.outcome.name == "not worse":
        return f"{claim} {numbers}: {describe_seeds_below(component, verdict.n)}"
    return f"{claim} {numbers}"


def describe_seeds_below(component: Component, n: int) -> str:
    """Return how many seeds of the residual networks stayed below the margin, and which share this excludes.

    Both training errors count: a seed is below the margin if both of its changes are.
    """
    below, seeds = _count_seeds_below(component, n)
    return (
        f"{below} of {seeds} seeds of the residual networks stayed below the margin, and at 95 % this excludes "
        f"only that more than {_format_share_bound(below, seeds)} of seeds would not"
    )


def describe_share_above(verdict: Verdict) -> str:
    """Return for which share of seeds the residual networks may still exceed the margin, as a clause.

    Empty where "not worse" was not reached.
    """
    for component in verdict.components:
        if component.reached_outcome is not None and component.reached_outcome.outcome.name == "not worse":
            share = _format_share_bound(*_count_seeds_below(component, verdict.n))
            return f"residual networks of up to {share} of seeds may still exceed the margin (95 %)"
    return ""


def _count_seeds_below(component: Component, n: int) -> tuple[int, int]:
    """Return how many of the first ``n`` pairs lie below the margin in every error, and the number of pairs."""
    outcome, pairs = component.shown_outcome.outcome, collect_common_differences(component.tests)[:n]
    return sum(all(map(outcome.holds_for, pair)) for pair in pairs.tolist()), len(pairs)


def _format_share_bound(below: int, seeds: int) -> str:
    return format_percent(round(share_bound(below, seeds), 2))


def _list_contradictions(verdict: Verdict) -> str:
    return join_words(
        f"{SUBJECTS[component.name]} {describe_outcome(component.shown_outcome)}"
        for component in verdict.components
        if component.contradicts
    )


def _format_effect(component: Component) -> str:
    return format_number(component.weakest_test.effect, 1)
