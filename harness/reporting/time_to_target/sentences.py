"""The sentences of a time_to_target contrast."""

from __future__ import annotations

from harness.reporting.formatting import format_p, format_quantity
from harness.reporting.verdicts.sentences.failures import describe_untrainable
from harness.reporting.verdicts.verdict import Verdict
from harness.specs.experiment.targets import Target, TimeToTarget
from harness.tracking.metrics import METRICS, TRAINING_ERRORS


def format_target(target: Target) -> str:
    """Return a target in words, such as ``a test error of 5 %``."""
    label = METRICS[target.metric].label
    word = f"{label.replace(', ', ' (')})" if target.metric in TRAINING_ERRORS else label
    return f"a {word[0].lower()}{word[1:]} of {target.value:g} %"


def title_time_to_target(contrast: TimeToTarget) -> str:
    """Return the claim of a contrast, in a few words."""
    return f"{contrast.a} reaches {format_target(contrast.declared_target)} in fewer {contrast.unit} than {contrast.b}"


def answer_time_to_target(verdict: Verdict, contrast: TimeToTarget) -> str:
    """Return one short sentence that answers the contrast."""
    target, unit = format_target(contrast.declared_target), contrast.unit
    if verdict.untrained:
        return f"Not decided: {describe_untrainable(verdict.untrained)}."
    if verdict.state == "undecided":
        return f"Not decided: whether {contrast.a} reaches {target} in fewer {unit} than {contrast.b}."
    start, fewer = ("Yes", "fewer") if verdict.state == "supported" else ("No", "more")
    return f"{start}: {contrast.a} reaches {target} in {fewer} {unit} than {contrast.b}."


def describe_time_to_target(verdict: Verdict, contrast: TimeToTarget) -> str:
    """Return what was found: the pairs with a known order, those without one, and p of the sign test."""
    (component,) = verdict.components
    signs = list(component.tests[0].differences.values())
    earlier, later, without = sum(s < 0 for s in signs), sum(s > 0 for s in signs), sum(s == 0 for s in signs)
    target = format_target(contrast.declared_target)
    pairs = format_quantity(len(signs), "pair")
    counts = f"of {pairs}, {contrast.a} reaches {target} first in {earlier}, and {contrast.b} in {later}"
    rest = f"; {without} have no known order (equal, or censored) and count for neither side" if without else ""
    p = component.p
    test = f" (exact sign test, p = {format_p(p, verdict.n)})" if p is not None else ""
    return f"{counts}{rest}{test}. n = {verdict.n} paired seeds."
