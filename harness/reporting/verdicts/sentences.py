"""One sentence per verdict, made to be quoted: its state, its budget, its numbers and its n."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.reporting.formatting import format_quantity, format_interval, format_number, format_p, format_percent, format_points, join_words
from harness.reporting.verdicts.components import Component
from harness.specs import Contrast, Degradation, Difference, ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS
from harness.specs.experiment.resolved_experiment import TunedExperiment
from harness.tracking.metrics import METRICS, TRAINING_ERRORS

if TYPE_CHECKING:
    from harness.reporting.verdicts.verdict import Verdict


def format_title(contrast: Contrast) -> str:
    """What a contrast claims, in a few words."""
    if isinstance(contrast, Degradation):
        return f"Depth degradation from depth {contrast.shallow} to {contrast.deep}{_which(contrast)}"
    relation = {"less": "below", "greater": "above", "two-sided": "different from"}[contrast.side]
    return f"{_metric(contrast.metric)} of {contrast.a} {relation} that of {contrast.b}"


def _which(contrast: Degradation) -> str:
    """The family and shortcut, where the contrast had to name them."""
    parts = [part for part in (contrast.family, contrast.shortcut) if part]
    return f" ({', '.join(parts)})" if parts else ""


def describe_budget(study: ResolvedExperiment) -> str:
    """The clause that no conclusion goes without; where variants are tuned it says at whose recipe."""
    recipe = ""
    if study.experiment.tune is not None:
        recipe = ", each variant at its tuned recipe" if isinstance(study, TunedExperiment) else ", one recipe for all"
    return f"within this budget ({format_quantity(study.experiment.recipe.epochs, 'epoch')}{recipe})"


def describe_small_sample(n: int) -> str:
    """What ``n`` seeds are good for, where it is not a claim; empty from 8 on."""
    if n >= SEEDS_FOR_CLAIMS:
        return ""
    if n == 0:
        return "a cell of the comparison holds no trial"
    if n == 1:
        return "a smoke run with n = 1 seed"
    if n < 5:
        return f"a preview with no inference, n = {n} seeds"
    return f"descriptive with n = {n} seeds; {SEEDS_FOR_CLAIMS} seeds are needed for claims"


def write_conclusion(verdict: Verdict, contrast: Contrast, study: ResolvedExperiment) -> str:
    """The sentence; plain text."""
    start = f"{verdict.state.capitalize()} {describe_budget(study)}{', exploratory' if verdict.exploratory else ''}: "
    if describe_small_sample(verdict.n):
        return start + f"{verdict.title} – {describe_small_sample(verdict.n)}{_effects(verdict)}."
    if verdict.without is not None and verdict.state == "undecided" and verdict.without.conclusion:
        return start + (
            f"{verdict.title} – the verdict is not the same with and without the seeds of diverged trials; "
            f"n = {verdict.n} with them and {verdict.without.n} without."
        )
    if verdict.state == "undecided":
        return start + _undecided(verdict, study)
    several = study.claims
    p = verdict.p_adjusted if verdict.state == "supported" else verdict.p_opposite
    holm = f"; p = {format_p(p)} after Holm's correction for {several} verdicts" if several > 1 else ""
    if isinstance(contrast, Degradation):
        say = _degraded if verdict.state == "supported" else _not_degraded
        return f"{start}{say(verdict, contrast)}{holm}."
    return f"{start}{_different(verdict, contrast)}{holm}."


def _from_to(contrast: Degradation) -> str:
    return f"from depth {contrast.shallow} to depth {contrast.deep}{_which(contrast)}"


def _seeds(verdict: Verdict) -> str:
    if verdict.paired:
        return f"n = {verdict.n} paired seeds"
    return f"n = {verdict.n} seeds in the smallest group, not all paired"


def _effects(verdict: Verdict) -> str:
    """Bare effects, for when nothing may be inferred from them; none for a component without them."""
    seen = [(c, c.measures[0]) for c in verdict.components if c.measures[0].effect is not None]
    if not seen:
        return ""
    shown = [f"{c.label} {format_points(m.effect)}" for c, m in seen]
    return f" (seen, in points of {_metric(seen[0][1].error).lower()}: {'; '.join(shown)})"


def _with_interval(component: Component, opposite: bool = False) -> str:
    m = component.opposing if opposite else component.deciding
    p = m.p_opposite if opposite else m.p
    bounds = format_interval(m.low, m.high, sign=True)
    return f"95 % interval {'over images ' if m.binomial else ''}{bounds}, p = {format_p(p)}"


def _degraded(verdict: Verdict, contrast: Degradation) -> str:
    plain, residual, both = verdict.components
    rise, change, gap = (component.deciding.effect for component in verdict.components)
    return (
        f"{_from_to(contrast)} the training error of the plain nets rises by {format_number(rise)} points "
        f"({_with_interval(plain)}), that of the residual nets changes by {format_points(change)} "
        f"({_with_interval(residual)} for less than the margin of {contrast.margin:g}), and the gap between these "
        f"changes is {format_number(gap)} ({_with_interval(both)}); {_seeds(verdict)}, clean and online training error "
        "agree, the weaker result is quoted"
    )


def _not_degraded(verdict: Verdict, contrast: Degradation) -> str:
    what = {
        "plain": f"the training error of the plain nets does not rise by as much as the margin of {contrast.margin:g}",
        "residual": f"the training error of the residual nets rises by more than the margin of {contrast.margin:g}",
        "interaction": "the training error of the residual nets rises by more than that of the plain nets",
    }
    ways = len(verdict.components)
    shown = join_words(
        f"{what[c.name]} ({format_points(c.opposing.effect)} points, {_with_interval(c, opposite=True)})"
        for c in verdict.components
        if c.p_opposite is not None and c.p_opposite <= verdict.level / ways
    )
    return (
        f"{_from_to(contrast)} {shown}; {_seeds(verdict)}, on both training errors, "
        f"each of {ways} ways to contradict tested at {format_percent(verdict.level)} / {ways}"
    )


def _different(verdict: Verdict, contrast: Difference) -> str:
    (only,) = verdict.components
    opposite = verdict.state == "contradicted"
    effect = only.deciding.effect or 0.0
    direction = "lower" if effect < 0 else "higher"
    return (
        f"the {_metric(contrast.metric).lower()} of {contrast.a} is {direction} than that of {contrast.b} by "
        f"{format_number(abs(effect))} points ({_with_interval(only, opposite)} for the difference); {_seeds(verdict)}"
    )


def _undecided(verdict: Verdict, study: ResolvedExperiment) -> str:
    if verdict.notes:
        return f"{verdict.title} – a rise is shown, but also that it is smaller than the margin; {_seeds(verdict)}."
    open_ones = [c for c in verdict.components if c.p is None or c.p > verdict.level]
    if open_ones:
        missing = join_words(
            f"{c.label} {c.claim} ({format_points(c.deciding.effect)} points, {_with_interval(c)})" for c in open_ones
        )
        shared = f" at level {verdict.level:.3g}" if verdict.level != study.experiment.level else ""
        why = f"not established{shared}: {missing}"
    else:
        several = study.claims
        why = f"not established after Holm's correction for {several} verdicts (p = {format_p(verdict.p_adjusted)})"
    smallest = min(c.smallest for c in (open_ones or verdict.components))
    return f"{verdict.title} – {why}; {_seeds(verdict)}{_needed(verdict, open_ones, smallest)}."


def _needed(verdict: Verdict, open_ones: Sequence[Component], smallest: float) -> str:
    """What would decide it."""
    if any(c.limited_by_images(verdict.level) for c in open_ones):
        return "; all seeds agree there, so that not more seeds would tell more, but more images"
    if not verdict.seeds:
        return ""
    if verdict.seeds <= verdict.n:
        return f"; at the spread seen {verdict.seeds:,} seeds suffice for an effect of {smallest:g} points (power 0.8)"
    return f"; about {verdict.seeds:,} seeds would decide an effect of {smallest:g} points at the spread seen"


def _metric(key: str) -> str:
    both = key in TRAINING_ERRORS
    return METRICS[key].label.replace(", ", " (") + (")" if both else "")
