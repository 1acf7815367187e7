"""The caveats of a verdict, the most important first: what a reader must know before quoting it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.reporting.formatting import join_words
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.sentences.failures import describe_with_and_without
from harness.reporting.verdicts.sentences.phrases import format_exact_p, format_size
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import Contrast, Degradation, Difference
from harness.specs.declarations.batches import level_share


def list_caveats(verdict: Verdict, contrast: Contrast) -> list[str]:
    """Return the caveats, each one or two sentences."""
    return [text for text in _all_caveats(verdict, contrast) if text]


def _all_caveats(verdict: Verdict, contrast: Contrast) -> Iterator[str]:
    # A missing reason must stand beside the verdict; a given one may come last.
    has_reason = bool(getattr(contrast, "margin_reason", ""))
    yield verdict.exploratory
    if not has_reason:
        yield describe_margin(contrast)
    yield describe_batches(verdict)
    yield describe_with_and_without(verdict)
    yield describe_skew(verdict)
    yield describe_early_stop(verdict)
    if has_reason:
        yield describe_margin(contrast)


def describe_batches(verdict: Verdict) -> str:
    """Return which batches of other seeds came before, and what level is left; empty for a first batch."""
    if not verdict.batches:
        return ""
    before = "A comparison of this experiment was tested before with other seeds"
    if verdict.earlier_batches:
        before = f"The same comparison was tested before with other seeds: {join_words(verdict.earlier_batches)}"
    part = round(1 / level_share(verdict.batches))
    return (
        f"{before}. Batch {verdict.batches + 1} therefore has 1/{part} of the level. "
        "Over all batches, the chance of a wrong claim is at most 1.5 times the level."
    )


def describe_skew(verdict: Verdict) -> str:
    """Return a warning where differences are skewed, with the robust reading; empty where none are.

    The sign-flip test assumes symmetric differences. A long tail that points away from an outcome makes its p too
    small.
    """
    skewed = [component for component in verdict.components if component.robust_p is not None]
    if not skewed:
        return ""
    readings = join_words(
        f"{_name(component)} (p = {format_exact_p(component.p, verdict.n)}, robust test p = "
        f"{format_exact_p(component.robust_p, verdict.n)}{'' if component.reached_outcome else ', so undecided'})"
        for component in skewed
    )
    return f"Warning: a few seeds differ much more than the others, so p may be too small: {readings}."


def _name(component: Component) -> str:
    return {
        "plain": "the plain change",
        "residual": "the residual change",
        "interaction": "the interaction",
    }.get(component.name, component.label)


def describe_early_stop(verdict: Verdict) -> str:
    """Return that the numbers of a verdict which was decided before the last stage are naive; otherwise empty."""
    stage = verdict.stage
    if stage is None or stage.decided_at is None or stage.decided_at == stage.most:
        return ""
    return (
        f"Decided at {stage.decided_at} of at most {stage.most} seeds. The decision keeps its level; effects, "
        "intervals and p values are naive: they are not corrected for stopping early. Corrected ones are under "
        "Stages."
    )


def describe_margin(contrast: Contrast) -> str:
    """Return the reason for the margin, or that none is given; empty for a contrast without a margin."""
    if not isinstance(contrast, Degradation | Difference):
        return ""
    name, value = (
        ("margin", contrast.margin)
        if isinstance(contrast, Degradation)
        else ("smallest effect of interest", contrast.smallest_effect)
    )
    if contrast.margin_reason:
        use = "" if isinstance(contrast, Degradation) else ", which plans seeds; the test is against zero"
        return f"The {name} is {format_size(value)}{use}: {contrast.margin_reason}"
    return f"No reason is given for the {name} of {format_size(value)}."
