"""The conclusion, the answer and the certainty of a verdict, put together from the sentences of its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.reporting.formatting import format_points, join_words
from harness.reporting.time_to_target.sentences import answer_time_to_target, describe_time_to_target
from harness.reporting.variance.replication import describe_varied
from harness.reporting.verdicts.sentences.caveats import describe_skew, list_caveats, list_skewed
from harness.reporting.verdicts.sentences.degradation import (
    answer_degradation,
    describe_degradation,
    describe_share_above,
)
from harness.reporting.verdicts.sentences.difference import (
    answer_difference,
    describe_difference,
    describe_share_opposite,
)
from harness.reporting.verdicts.sentences.failures import describe_with_and_without
from harness.reporting.verdicts.sentences.phrases import (
    describe_budget,
    describe_small_sample,
    format_exact_p,
    format_metric,
)
from harness.reporting.verdicts.sentences.question import describe_question, format_question
from harness.reporting.verdicts.sentences.way_to_decide import describe_way_to_decide
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import Contrast, ResolvedExperiment

Sentence = Callable[[Verdict, Any], str]
SENTENCES: dict[str, tuple[Sentence, Sentence]] = {
    "degradation": (answer_degradation, describe_degradation),
    "difference": (answer_difference, describe_difference),
    "time_to_target": (answer_time_to_target, describe_time_to_target),
}
"""For each kind of contrast, the function for its answer and the one for its numbers."""
RARE_SEEDS = {"degradation": describe_share_above, "difference": describe_share_opposite}
"""For kinds of contrasts, the function for the share of seeds that may still be otherwise."""


def add_sentences(verdict: Verdict, contrast: Contrast, study: ResolvedExperiment) -> Verdict:
    """Return the verdict with its answer, certainty, conclusion and caveats."""
    answer, _ = SENTENCES[contrast.kind]
    question = format_question(contrast, study)
    return replace(
        verdict,
        answer=f"{answer(verdict, contrast).removesuffix('.')}{'' if verdict.untrained else question}.",
        certainty=_describe_certainty(verdict, study),
        conclusion=write_conclusion(verdict, contrast, study),
        caveats=tuple(list_caveats(verdict, contrast)),
    )


def write_conclusion(verdict: Verdict, contrast: Contrast, study: ResolvedExperiment) -> str:
    """Return the conclusion to quote, as plain text."""
    start = _format_start(verdict, study)
    small_sample = describe_small_sample(verdict.n)
    if small_sample:
        return f"{start}: {verdict.title} – {small_sample}{_format_bare_effects(verdict)}."
    _, describe = SENTENCES[contrast.kind]
    failures = describe_with_and_without(verdict) if verdict.untrained or verdict.with_failures_state else ""
    finding = describe(verdict, contrast)
    sentences = [
        failures,
        f"{finding[0].upper()}{finding[1:]}" if failures else finding,
        describe_question(contrast, study),
        describe_varied(study),
        describe_skew(verdict),
        _describe_family(verdict, study),
        describe_way_to_decide(verdict, study),
    ]
    return f"{start}: {' '.join(sentence for sentence in sentences if sentence)}"


def _format_start(verdict: Verdict, study: ResolvedExperiment) -> str:
    exploratory = ", exploratory" if verdict.exploratory else ""
    return f"{verdict.state.capitalize()} {describe_budget(study)}{exploratory}"


def _describe_certainty(verdict: Verdict, study: ResolvedExperiment) -> str:
    """Return one short sentence on how sure the answer is."""
    start = _format_start(verdict, study)
    small_sample = describe_small_sample(verdict.n)
    if small_sample:
        return f"{start}: {small_sample}."
    metrics = {test.metric for component in verdict.components for test in component.tests}
    both = " in the clean and in the online training error" if len(metrics) > 1 else ""
    if verdict.untrained:
        return f"{start}: {verdict.n} paired seeds, and more seeds would not decide it."
    n = f"{verdict.n} paired seeds{both}"
    ps = [c.shown_outcome.p for c in verdict.components if c.reached_outcome is not None]
    if verdict.state == "undecided" or not ps:
        return f"{start}: {n} do not decide it."
    if verdict.kind == "degradation" and verdict.state == "contradicted":
        ps = [component.shown_outcome.p for component in verdict.components if component.contradicts]
    p = max((p for p in ps if p is not None), default=None)
    rare = RARE_SEEDS[verdict.kind](verdict) if verdict.kind in RARE_SEEDS else ""
    clauses = [f"{n}, largest p = {format_exact_p(p, verdict.n)}", _mention_skew(verdict), rare]
    return f"{start}: {'; '.join(clause for clause in clauses if clause)}."


def _mention_skew(verdict: Verdict) -> str:
    """Return that differences are skewed, and whether the robust test agrees everywhere; empty where none are."""
    skewed = list_skewed(verdict)
    if not skewed:
        return ""
    agrees = ", and the robust test agrees" if all(component.reached_outcome for component in skewed) else ""
    return f"the differences are skewed{agrees}"


def _describe_family(verdict: Verdict, study: ResolvedExperiment) -> str:
    """Return how the level is shared between several verdicts; empty for a single one."""
    count = study.verdict_count
    if count == 1:
        return ""
    shares = f"Holm's method shares the level between {count} verdicts"
    p = verdict.decisive_p
    if verdict.state != "undecided" and p is None and verdict.stage is not None:
        return f"{shares}; this one is decided at the level {verdict.stage.level:.3g} of all stages."
    if verdict.state == "undecided" or p is None:
        return f"{shares}."
    return f"Adjusted p = {format_exact_p(p, 0)} by Holm's method for {count} verdicts."


def _format_bare_effects(verdict: Verdict) -> str:
    """Return the effects without intervals, for a sample too small for inference; empty where no effect is known."""
    measured = [(c, c.tests[0]) for c in verdict.components if c.tests[0].effect is not None]
    if not measured:
        return ""
    effects = "; ".join(f"{component.label} {format_points(test.effect)}" for component, test in measured)
    metrics = join_words(dict.fromkeys(format_metric(test.metric).lower() for _, test in measured))
    return f" (measured, in points of {metrics}: {effects})"
