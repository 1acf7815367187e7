"""Phrases that the sentences of all verdicts share: title, budget, effects, p values and seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.reporting.formatting import (
    format_interval,
    format_p,
    format_points,
    format_quantity,
    join_words,
)
from harness.reporting.statistics.sign_flip_test import MAX_EXACT_PAIRS
from harness.reporting.time_to_target.sentences import title_time_to_target
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.effect_tests import EffectTest
from harness.reporting.verdicts.outcomes import OutcomeResult
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import Contrast, Degradation, Difference, ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS
from harness.specs.experiment.resolved_experiment import TunedExperiment
from harness.tracking.metrics import CLEAN_TRAINING_ERROR, METRICS, ONLINE_TRAINING_ERROR, TRAINING_ERRORS

WAYS = {CLEAN_TRAINING_ERROR: "clean", ONLINE_TRAINING_ERROR: "online"}
"""How each training error is called beside a number."""


def format_title(contrast: Contrast) -> str:
    """Return the claim of a contrast, in a few words."""
    return TITLES[contrast.kind](contrast)


def _title_degradation(contrast: Degradation) -> str:
    return f"Depth degradation from depth {contrast.shallow} to {contrast.deep}{format_family(contrast)}"


def _title_difference(contrast: Difference) -> str:
    relation = {"less": "below", "greater": "above", "two-sided": "different from"}[contrast.side]
    return f"{format_metric(contrast.metric)} of {contrast.a} {relation} that of {contrast.b}"


TITLES: dict[str, Callable[[Any], str]] = {
    "degradation": _title_degradation,
    "difference": _title_difference,
    "time_to_target": title_time_to_target,
}
"""For each kind of contrast, the function for its title."""


def format_family(contrast: Degradation) -> str:
    """Return family and shortcut in parentheses, where the contrast names them."""
    parts = [part for part in (contrast.family, contrast.shortcut) if part]
    return f" ({', '.join(parts)})" if parts else ""


def describe_budget(study: ResolvedExperiment) -> str:
    """Return the clause that every conclusion has: its epochs, where variants are tuned its recipe, and its data."""
    recipe = ""
    if study.experiment.tune is not None:
        recipe = ", each variant at its tuned recipe" if isinstance(study, TunedExperiment) else ", one recipe for all"
    epochs = format_quantity(study.experiment.recipe.epochs, "epoch")
    return f"within this budget ({epochs}{recipe}) on {study.data.name}"


def describe_small_sample(n: int) -> str:
    """Return why ``n`` pairs of seeds give no verdict, as a phrase; empty from 8 on."""
    if n >= SEEDS_FOR_CLAIMS:
        return ""
    if n == 0:
        return "no seed is recorded for all of the compared variants"
    if n == 1:
        return "a smoke run with n = 1 seed"
    if n < 5:
        return f"a preview with no inference, n = {n} seeds"
    return f"descriptive with n = {n} seeds; {SEEDS_FOR_CLAIMS} seeds are needed for claims"


def format_n(verdict: Verdict) -> str:
    """Return the number of pairs that a verdict rests on, and at which declared stage."""
    text = f"n = {verdict.n} paired seeds"
    if verdict.stage is None or verdict.state == "undecided":
        return text
    return f"{text}, decided at the stage of {verdict.stage.decided_at} of at most {verdict.stage.most} seeds"


def format_metric(key: str) -> str:
    """Return the metric's label, with ``clean`` or ``online`` in parentheses."""
    label = METRICS[key].label
    return f"{label.replace(', ', ' (')})" if key in TRAINING_ERRORS else label


def format_exact_p(p: float | None, n: int) -> str:
    """Return a p value; one that is the smallest of ``n`` pairs as a fraction, such as ``1/256``."""
    if p is not None and 0 < n <= MAX_EXACT_PAIRS and p == 2.0**-n:
        return f"1/{2**n:,}"
    return format_p(p)


def name_component(component: Component) -> str:
    """Return the effect of a component in words."""
    return {
        "plain": "the plain change",
        "residual": "the residual change",
        "interaction": "the difference of the two changes",
    }.get(component.name, component.label)


def format_effects(component: Component) -> str:
    """Return the effect in every metric, such as ``+19.02 points clean and +19.97 points online``."""
    if len(component.tests) == 1:
        return f"{format_points(component.tests[0].effect)} points"
    return join_words(
        f"{format_points(test.effect)} points {WAYS.get(test.metric, format_metric(test.metric))}"
        for test in component.tests
    )


def format_evidence(component: Component, verdict: Verdict, result: OutcomeResult | None = None) -> str:
    """Return interval and p of the weakest test of an outcome, by default of the one to show.

    With two training errors it names the one whose numbers these are.
    """
    result = result or component.shown_outcome
    test = component.weakest_test
    parts = [_format_interval(test)] if test.low is not None else []
    p = result.p
    if p is not None and not component.is_two_sided:
        parts.append(f"p = {format_exact_p(p, verdict.n)}")
    elif p is not None:
        parts.append(f"two-sided p = {format_p(component.claimed_p)}")
    where = f"weaker result, {WAYS[test.metric]}: " if len(component.tests) > 1 and test.metric in WAYS else ""
    return where + ", ".join(parts)


def _format_interval(test: EffectTest) -> str:
    images = "over images " if test.over_images else ""
    return f"95 % interval {images}{format_interval(test.low, test.high, sign=True)}"


def format_size(points: float) -> str:
    """Return a declared number of percentage points: ``0.5 points``, ``1 point``."""
    return f"{points:g} point{'' if points == 1 else 's'}"


def describe_outcome(result: OutcomeResult) -> str:
    """Return an outcome as a claim about an effect, such as ``rises by more than 0.5 points``."""
    points = format_size(abs(result.outcome.bounds[0][1]))
    return {
        "rises": f"rises by more than {points}",
        "negligible": f"changes by less than {points}",
        "falls": f"falls by more than {points}",
        "not worse": f"rises by less than {points}",
        "worse": f"rises by more than {points}",
        "positive": "exceeds that of the residual networks",
        "not positive": "is smaller than that of the residual networks",
    }.get(result.outcome.name, result.outcome.name)
