"""The caveats of a verdict, the most important first: what a reader must know before quoting it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.reporting.formatting import format_number, join_words
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.sentences.failures import describe_with_and_without
from harness.reporting.verdicts.sentences.phrases import format_exact_p, format_size, name_component
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
    yield describe_small_effect(verdict, contrast)
    yield describe_skew(verdict)
    yield describe_early_stop(verdict)
    if has_reason:
        yield describe_margin(contrast)


def describe_batches(verdict: Verdict) -> str:
    """Return which batches of other seeds came before, and what level is left; empty for a first batch."""
    if not verdict.batches:
        return ""
    before = "A comparison of this experiment was analysed before with other seeds"
    if verdict.earlier_batches:
        before = f"The same comparison was analysed before with other seeds: {join_words(verdict.earlier_batches)}"
    part = round(1 / level_share(verdict.batches))
    return (
        f"{before}. Batch {verdict.batches + 1} therefore has 1/{part} of the level. "
        "Over all batches, the chance of a wrong claim is at most 1.5 times the level."
    )


def list_skewed(verdict: Verdict) -> list[Component]:
    """Return the components whose differences have a long tail that points away from the outcome shown."""
    return [c for c in verdict.components if c.robust_p is not None and not c.untrainable]


def describe_skew(verdict: Verdict) -> str:
    """Return a warning where differences are skewed, with p of the robust test; empty where none are.

    The sign-flip test assumes symmetric differences. A long tail that points away from an outcome makes its p too
    small.
    """
    skewed = list_skewed(verdict)
    if not skewed:
        return ""
    ps = join_words(
        f"{name_component(component)} (p = {format_exact_p(component.p, verdict.n)}, and "
        f"{format_exact_p(component.robust_p, verdict.n)} by the robust test"
        f"{'' if component.reached_outcome else ': undecided'})"
        for component in skewed
    )
    return f"Warning: a few seeds differ much more than the others, so p may be too small: {ps}."


def describe_early_stop(verdict: Verdict) -> str:
    """Return that the numbers of a verdict which was decided before the last stage are naive; otherwise empty."""
    stage = verdict.stage
    if stage is None or stage.decided_at is None or stage.decided_at == stage.most:
        return ""
    # Without the number of seeds, so that contrasts of several stages share one caveat; the stages' table has it.
    return (
        "Decided before the last stage: the decision keeps its level, but effects, intervals and p values are not "
        "corrected for stopping early. Corrected ones are under Stages."
    )


def describe_small_effect(verdict: Verdict, contrast: Contrast) -> str:
    """Return that a difference which was found is smaller than the smallest effect of interest; otherwise empty.

    Its test is against zero, so a difference of no interest can be found too.
    """
    if not isinstance(contrast, Difference) or verdict.state == "undecided":
        return ""
    effect = abs(verdict.components[0].weakest_test.effect or 0.0)
    if effect >= contrast.smallest_effect:
        return ""
    return (
        f"The difference of {format_number(effect)} points is less than the smallest effect of interest, "
        f"{format_size(contrast.smallest_effect)}."
    )


def describe_margin(contrast: Contrast) -> str:
    """Return the reason for the margin, or that none is given; empty for a contrast without a margin."""
    if isinstance(contrast, Degradation):
        name, value, use = "margin", contrast.margin, ("", "")
    elif isinstance(contrast, Difference):
        name, value = "smallest effect of interest", contrast.smallest_effect
        use = " (it plans seeds; the test is against zero)", ", which plans seeds; the test is against zero"
    else:
        return ""
    if contrast.margin_reason:
        return f"The {name} is {format_size(value)}{use[0]}: {contrast.margin_reason}"
    return f"No reason is given for the {name} of {format_size(value)}{use[1]}."
