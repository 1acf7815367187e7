"""The sentences of a verdict, made to be quoted: its state, its budget, its numbers and its n."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting.formatting import (
    format_interval,
    format_number,
    format_p,
    format_percent,
    format_points,
    format_quantity,
    join_words,
)
from harness.reporting.verdicts.components import Component
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import Contrast, Degradation, Difference, ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS
from harness.specs.experiment.resolved_experiment import TunedExperiment
from harness.tracking.metrics import METRICS, TRAINING_ERRORS

RISE_BELOW_MARGIN = "The tests show a rise, and they also show that it is smaller than the margin."
"""Note of a verdict whose claim and opposite claim both pass the level."""


def format_title(contrast: Contrast) -> str:
    """Return the claim of a contrast, in a few words."""
    if isinstance(contrast, Degradation):
        return f"Depth degradation from depth {contrast.shallow} to {contrast.deep}{_format_family(contrast)}"
    relation = {"less": "below", "greater": "above", "two-sided": "different from"}[contrast.side]
    return f"{_format_metric(contrast.metric)} of {contrast.a} {relation} that of {contrast.b}"


def _format_family(contrast: Degradation) -> str:
    """Return family and shortcut in parentheses, where the contrast names them."""
    parts = [part for part in (contrast.family, contrast.shortcut) if part]
    return f" ({', '.join(parts)})" if parts else ""


def describe_budget(study: ResolvedExperiment) -> str:
    """Return the clause that every conclusion has: its epochs and, where variants are tuned, its recipe."""
    recipe = ""
    if study.experiment.tune is not None:
        recipe = ", each variant at its tuned recipe" if isinstance(study, TunedExperiment) else ", one recipe for all"
    return f"within this budget ({format_quantity(study.experiment.recipe.epochs, 'epoch')}{recipe})"


def describe_small_sample(n: int) -> str:
    """Return why ``n`` seeds give no verdict, as a phrase; empty from 8 seeds on."""
    if n >= SEEDS_FOR_CLAIMS:
        return ""
    if n == 0:
        return "one of the compared variants has no recorded trial"
    if n == 1:
        return "a smoke run with n = 1 seed"
    if n < 5:
        return f"a preview with no inference, n = {n} seeds"
    return f"descriptive with n = {n} seeds; {SEEDS_FOR_CLAIMS} seeds are needed for claims"


def write_conclusion(verdict: Verdict, contrast: Contrast, study: ResolvedExperiment) -> str:
    """Return the conclusion to quote, as plain text."""
    exploratory = ", exploratory" if verdict.exploratory else ""
    start = f"{verdict.state.capitalize()} {describe_budget(study)}{exploratory}: "
    small_sample = describe_small_sample(verdict.n)
    if small_sample:
        return start + f"{verdict.title} – {small_sample}{_format_bare_effects(verdict)}."
    without = verdict.without_diverged
    if without is not None and verdict.state == "undecided" and without.conclusion:
        return start + (
            f"{verdict.title} – the verdict differs with and without the seeds of diverged trials; "
            f"n = {verdict.n} with them and {without.n} without."
        )
    if verdict.state == "undecided":
        return start + _describe_undecided(verdict, study)
    p = verdict.p_adjusted if verdict.state == "supported" else verdict.p_opposite_adjusted
    count = study.verdict_count
    holm = f" p = {format_p(p)} after Holm's correction for {count} verdicts." if count > 1 else ""
    if isinstance(contrast, Difference):
        return f"{start}{_describe_difference(verdict, contrast)}{holm}"
    if verdict.state == "supported":
        return f"{start}{_describe_degradation(verdict, contrast)}{holm}"
    return f"{start}{_describe_contradiction(verdict, contrast)}{holm}"


def _format_depths(contrast: Degradation) -> str:
    return f"from depth {contrast.shallow} to depth {contrast.deep}{_format_family(contrast)}"


def _format_n(verdict: Verdict) -> str:
    if verdict.is_paired:
        return f"n = {verdict.n} paired seeds"
    return f"n = {verdict.n} seeds in the smallest group, not all paired"


def _format_bare_effects(verdict: Verdict) -> str:
    """Return the effects without intervals, for a sample too small for inference; empty where no effect is known."""
    measured = [(c, c.tests[0]) for c in verdict.components if c.tests[0].effect is not None]
    if not measured:
        return ""
    effects = "; ".join(f"{component.label} {format_points(test.effect)}" for component, test in measured)
    return f" (measured, in points of {_format_metric(measured[0][1].metric).lower()}: {effects})"


def _format_test(component: Component, opposite: bool = False) -> str:
    """Return interval and p of the weakest test of the claim, or of the opposite claim."""
    test = component.weakest_opposite_test if opposite else component.weakest_test
    p = test.p_opposite if opposite else test.p
    images = "over images " if test.over_images else ""
    return f"95 % interval {images}{format_interval(test.low, test.high, sign=True)}, p = {format_p(p)}"


def _describe_degradation(verdict: Verdict, contrast: Degradation) -> str:
    plain, residual, interaction = verdict.components
    rise, change, gap = (component.weakest_test.effect for component in verdict.components)
    return (
        f"{_format_depths(contrast)}, the training error of the plain networks rises by {format_number(rise)} points "
        f"({_format_test(plain)}). That of the residual networks changes by {format_points(change)} points "
        f"({_format_test(residual)} for a change below the margin of {contrast.margin:g}). The plain change exceeds "
        f"the residual change by {format_number(gap)} points ({_format_test(interaction)}). {_format_n(verdict)}. "
        "Clean and online training error agree; the numbers are those of the weaker result."
    )


def _describe_contradiction(verdict: Verdict, contrast: Degradation) -> str:
    findings = {
        "plain": f"the training error of the plain networks rises by less than the margin of {contrast.margin:g}",
        "residual": f"the training error of the residual networks rises by more than the margin of {contrast.margin:g}",
        "interaction": "the training error of the residual networks rises by more than that of the plain networks",
    }
    ways = len(verdict.components)
    shown = join_words(
        f"{findings[c.name]} ({format_points(c.weakest_opposite_test.effect)} points, {_format_test(c, opposite=True)})"
        for c in verdict.components
        if c.p_opposite is not None and c.p_opposite <= verdict.level / ways
    )
    return (
        f"{_format_depths(contrast)}, {shown}. {_format_n(verdict)}. Clean and online training error both show this. "
        f"Each of the {ways} ways to contradict is tested at {format_percent(verdict.level)} / {ways}."
    )


def _describe_difference(verdict: Verdict, contrast: Difference) -> str:
    (component,) = verdict.components
    effect = component.weakest_test.effect or 0.0
    direction = "lower" if effect < 0 else "higher"
    return (
        f"the {_format_metric(contrast.metric).lower()} of {contrast.a} is {direction} than that of {contrast.b} by "
        f"{format_number(abs(effect))} points ({_format_test(component, verdict.state == 'contradicted')} for the "
        f"difference). {_format_n(verdict)}."
    )


def _describe_undecided(verdict: Verdict, study: ResolvedExperiment) -> str:
    if verdict.notes:
        return f"{verdict.title} – {RISE_BELOW_MARGIN[0].lower()}{RISE_BELOW_MARGIN[1:]} {_format_n(verdict)}."
    unproven = [c for c in verdict.components if c.p is None or c.p > verdict.level]
    if unproven:
        claims = join_words(
            f"{c.label} {c.claim} ({format_points(c.weakest_test.effect)} points, {_format_test(c)})" for c in unproven
        )
        level = f" at level {verdict.level:.3g}" if verdict.level != study.experiment.level else ""
        reason = f"not established{level}: {claims}"
    else:
        reason = (
            f"not established after Holm's correction for {study.verdict_count} verdicts "
            f"(p = {format_p(verdict.p_adjusted)})"
        )
    smallest = min(c.smallest_effect for c in (unproven or verdict.components))
    return f"{verdict.title} – {reason}. {_format_n(verdict)}.{_describe_way_to_decide(verdict, unproven, smallest)}"


def _describe_way_to_decide(verdict: Verdict, unproven: Sequence[Component], smallest: float) -> str:
    """Return a sentence on how many seeds, or what else, would decide the verdict; empty where that is not known."""
    if any(component.is_limited_by_images(verdict.level) for component in unproven):
        return " All seeds have the same error there, so more images are needed, not more seeds."
    seeds = verdict.seeds_to_decide
    if not seeds:
        return ""
    if seeds <= verdict.n:
        return f" At the observed spread, {seeds:,} seeds suffice for an effect of {smallest:g} points (power 0.8)."
    return f" At the observed spread, about {seeds:,} seeds would decide an effect of {smallest:g} points (power 0.8)."


def _format_metric(key: str) -> str:
    """Return the metric's label, with ``clean`` or ``online`` in parentheses."""
    label = METRICS[key].label
    return f"{label.replace(', ', ' (')})" if key in TRAINING_ERRORS else label
