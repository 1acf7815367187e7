"""A verdict for every declared contrast: supported, contradicted or undecided, always within the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from harness.reporting.formatting import format_quantity, format_trials, join_words
from harness.reporting.statistics.estimates import adjust_p_values
from harness.reporting.statistics.sample_size import seeds_for_power
from harness.reporting.verdicts.components import Component
from harness.reporting.verdicts.contrasts import build_components
from harness.reporting.verdicts.interim_looks import explain_exploratory, build_look
from harness.reporting.verdicts.sentences import format_title, write_conclusion
from harness.specs import Contrast, ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, seeds_to_reach
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import escape_markdown, one_line
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results

VerdictState = Literal["supported", "contradicted", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """What the record says about one declared contrast. All text is plain, not Markdown.

    Attributes:
        title: What is claimed.
        kind: ``degradation`` or ``difference``.
        state: ``supported``, ``contradicted`` or ``undecided``.
        conclusion: One sentence to quote, with the budget and n.
        components: The contrasts it rests on.
        n: Pairs of the component that has fewest (the smallest group where pairs are missing).
        level: That of the claim, before Holm's method shares it with the experiment's other verdicts: of a look its
            share of the experiment's level, of a directional difference three quarters of that.
        p: Of the claim: the largest of its components' p. None below 8 seeds.
        p_adjusted: Of the claim, to be held against the level of the look: p over the contrast's share of that, then
            Holm's correction over the experiment's verdicts.
        p_opposite: The same of the opposite (ways to contradict, or its share; then Holm).
        seeds: How many suffice for the smallest effect of interest, where it is undecided with 8 or more; None where
            all seeds agree, and images limit what is seen.
        notes: What a reader has to know about it.
        diverged: Its trials that diverged.
        missing: Its trials that are not recorded.
        without: The same verdict without the seeds of diverged trials, where there are any.
        exploratory: Why it is no more than that, in a sentence; empty where it was declared as it is.
    """

    title: str
    kind: str
    state: VerdictState
    conclusion: str
    components: tuple[Component, ...]
    n: int
    level: float
    p: float | None
    p_adjusted: float | None
    p_opposite: float | None
    seeds: int | None
    notes: tuple[str, ...]
    diverged: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    without: Verdict | None = None
    exploratory: str = ""

    @property
    def paired(self) -> bool:
        """Whether every comparison that it rests on is one of pairs of seeds."""
        return all(m.comparison and m.comparison.method == "paired" for c in self.components for m in c.measures)


def decide_contrasts(results: Results) -> list[Verdict]:
    """One verdict per declared contrast, in their order; where variants were tuned, then one each at their recipes."""
    at_choices = [] if results.tuned is None else _verdicts(results.tuned)
    return [*_verdicts(results), *(replace(v, title=f"{v.title}, at tuned recipes") for v in at_choices)]


def _verdicts(results: Results) -> list[Verdict]:
    study = results.study
    final = results.final if len(results.epochs) else results.epochs
    bad = final[final["outcome"] == TrialStatus.DIVERGED]
    nothing: list[frozenset[int]] = [frozenset() for _ in study.cells]
    found = _judge(study, final, nothing)
    dropped = [frozenset(bad[bad["variant"].isin(list(cells.values()))]["seed"].tolist()) for cells in study.cells]
    if any(dropped):
        cleaned = _judge(study, final, dropped)
        pairs = zip(found, cleaned, dropped, study.experiment.contrasts, strict=True)
        found = [
            _reconciled(a, b, contrast, study) if seeds or a.state != b.state else a for a, b, seeds, contrast in pairs
        ]
    return [_annotated(verdict, cells, results, bad) for verdict, cells in zip(found, study.cells, strict=True)]


def _judge(study: ResolvedExperiment, final: pd.DataFrame, without: Sequence[frozenset[int]]) -> list[Verdict]:
    experiment, found, level = study.experiment, [], study.experiment.look_level
    declared = zip(experiment.contrasts, study.cells, without, strict=True)
    for place, (contrast, cells, seeds) in enumerate(declared):
        components = build_components(study, contrast, cells, final, seeds)
        p = _largest(components)
        why = explain_exploratory(study, build_look(study, place, final)) if p is not None else ""
        found.append((contrast, components, p, _opposite(contrast, components), why))
    # Contrasts that can not be tested stay in the family, as do those of the other reading where variants are
    # tuned: it was declared beforehand.
    others = [1.0] * (study.claims - len(found))
    supporting = [1.0 if p is None else min(1.0, p / contrast.share) for contrast, _, p, _, _ in found]
    adjusted = adjust_p_values([*supporting, *others])[: len(found)]
    opposite = adjust_p_values([*(1.0 if q is None else q for _, _, _, q, _ in found), *others])[: len(found)]
    judged = []
    for (contrast, components, p, q, why), p_holm, q_holm in zip(found, adjusted, opposite, strict=True):
        tested = p is not None
        yes, no = tested and p_holm <= level, q is not None and q_holm <= level
        state: VerdictState = "undecided" if yes == no else "supported" if yes else "contradicted"
        verdict = Verdict(
            title=format_title(contrast),
            kind=contrast.kind,
            state=state,
            conclusion="",
            components=components,
            n=min(component.n for component in components),
            level=level * contrast.share,
            p=p,
            p_adjusted=p_holm if tested else None,
            p_opposite=q_holm if q is not None else None,
            seeds=_seeds(components, level * contrast.share / study.claims) if tested and not yes and not no else None,
            notes=(),
            exploratory=why,
        )
        if yes and no:
            verdict = replace(verdict, notes=("A rise is shown, and it is shown to be smaller than the margin.",))
        judged.append(replace(verdict, conclusion=write_conclusion(verdict, contrast, study)))
    return judged


def _largest(components: Sequence[Component]) -> float | None:
    ps = [component.p for component in components]
    return None if any(p is None for p in ps) else max(p for p in ps if p is not None)


def _opposite(contrast: Contrast, components: Sequence[Component]) -> float | None:
    """Of any one of several opposites, corrected for their number; of a lone one, over its share of the level."""
    ps = [component.p_opposite for component in components]
    if any(p is None for p in ps):
        return None
    ways = len(components) if contrast.share == 1 else 1 / (1 - contrast.share)
    return min(1.0, ways * min(p for p in ps if p is not None))


def _seeds(components: Sequence[Component], level: float) -> int | None:
    """Seeds for every component that is not established, at its spread in the measure that has more of it."""
    if any(c.limited_by_images(level) for c in components):
        return None
    needed = [
        seeds_for_power(m.comparison.sd, c.smallest, level, c.side == "two-sided")
        for c in components
        for m in c.measures
        if (c.p is None or c.p > level) and m.comparison and m.comparison.sd is not None
    ]
    return max(needed, default=max(SEEDS_FOR_CLAIMS, seeds_to_reach(level, 1)))


def _reconciled(whole: Verdict, without: Verdict, contrast: Contrast, study: ResolvedExperiment) -> Verdict:
    """A verdict stands only if it is the same with and without the diverged trials."""
    note = (
        f"With the diverged trials at chance error: {whole.state} (n = {whole.n}); "
        f"without their seeds: {without.state} (n = {without.n})."
    )
    merged = replace(whole, without=without, notes=(*whole.notes, note))
    if whole.state != without.state:
        merged = replace(merged, state="undecided", seeds=None)
        merged = replace(merged, conclusion=write_conclusion(merged, contrast, study))
    return merged


def _annotated(verdict: Verdict, cells: dict[str, str], results: Results, bad: pd.DataFrame) -> Verdict:
    """Name what diverged, what is missing and how it was compared."""
    names, notes = set(cells.values()), [*([verdict.exploratory] if verdict.exploratory else []), *verdict.notes]
    rows = bad[bad["variant"].isin(list(names))]
    diverged = list(zip(rows["variant"], rows["seed"], strict=True))
    missing = [(name, seed) for name, seed in results.missing if name in names]
    if diverged:
        stand = "stands" if len(diverged) == 1 else "stand"
        notes.append(
            f"{format_quantity(len(diverged), 'trial')} diverged and {stand} at chance error: {join_words(format_trials(diverged))}."
        )
    if missing:
        notes.append(f"{format_quantity(len(missing), 'trial')} not recorded: {join_words(format_trials(missing))}.")
    if any(m.comparison and m.comparison.method == "welch" for c in verdict.components for m in c.measures):
        notes.append("Pairs are incomplete: Welch's test on independent groups stands in for the paired one.")
    unmeasured = sorted({METRICS[m.error].label for c in verdict.components for m in c.measures if not m.comparison})
    if unmeasured:
        notes.append(f"No value in some cell: {join_words(unmeasured)}.")
    return replace(
        verdict,
        notes=tuple(notes),
        diverged=tuple(f"{name} seed {seed}" for name, seed in diverged),
        missing=tuple(f"{name} seed {seed}" for name, seed in missing),
    )


def format_headline(found: Sequence[Verdict]) -> str:
    """The verdicts as Markdown for the top of the experiment's page."""
    if not found:
        return "No contrast is declared, so there is no verdict: everything shown is exploratory."
    quotes = []
    for v in found:
        start, colon, rest = v.conclusion.partition(": ")
        lines = [
            f"**{escape_markdown(start + colon.strip())}** {escape_markdown(rest)}",
            *map(escape_markdown, v.notes),
        ]
        quotes.append("\n>\n".join(f"> {line}" for line in lines))
    # A comment between them: GitHub would join blockquotes that only an empty line parts.
    return "\n\n<!-- -->\n\n".join(quotes)


def format_summary_lines(found: Sequence[Verdict]) -> list[str]:
    """The verdicts as plain text for the terminal, one line each, notes indented below."""
    if not found:
        return ["No contrast is declared, so there is no verdict: everything shown is exploratory."]
    return [line for v in found for line in (one_line(v.conclusion), *(f"  {one_line(note)}" for note in v.notes))]
