"""The section of a report on a crossed design: two lines of answer, and the table of its variance components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.reporting.formatting import ABSENT, format_interval, format_number, join_words, keep_together
from harness.reporting.statistics.variance_components import Component
from harness.reporting.variance.analysis import VarianceRow, analyse_variance, is_established, largest_source
from harness.reporting.variance.replication import NAMES
from harness.specs import ResolvedExperiment
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.replication.sources import Source
from harness.specs.replication.variance_design import VarianceDesign
from harness.text import escape_markdown
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results

MAX_NAMED = 2
"""Most variants of which each is named in the answer."""
RESIDUAL = "together"
"""Title of the residual: what sources do together."""


def build_variance_section(results: Results) -> dict[str, Any]:
    """Return the content of ``variance.md.j2``; its list of rows is empty if the experiment has no crossed design."""
    design, final = results.study.experiment.variance, results.final
    if design is None:
        return {"variance_rows": []}
    rows = analyse_variance(results)
    freedoms = {row.components.freedom for row in rows if row.components is not None}
    return {
        "variance_rows": [_build_row(design, row) for row in rows],
        "variance_titles": [*design.sources, RESIDUAL],
        "variance_design": design,
        "variance_freedom": join_words(sorted({source for source, _ in freedoms})),
        "variance_incomplete": any(row.components is None or row.components.runs < design.runs for row in rows),
        "variance_diverged": int((final["outcome"] == TrialStatus.DIVERGED).sum()),
    }


def answer_variance(results: Results) -> tuple[str, str] | None:
    """Return the two lines that answer a crossed design; None for other experiments."""
    design = results.study.experiment.variance
    if design is None:
        return None
    rows = analyse_variance(results)
    rows = [row for row in rows if row.metric == rows[0].metric]
    return _answer(design, rows), describe_design(results.study)


def _answer(design: VarianceDesign, rows: Sequence[VarianceRow]) -> str:
    """Return which source moves an error most in each variant, or that the intervals do not establish it."""
    analysed = [(row.variant, row.components) for row in rows if row.components is not None]
    if not analysed:
        return "No block of the crossed design is complete, so there are no variance components yet."
    title = METRICS[rows[0].metric].label.lower()
    groups: dict[tuple[Source | None, bool], list[str]] = {}
    for variant, components in analysed:
        source, component = largest_source(design, components) or (None, components.residual)
        size = f"{format_number(component.sd)} points, {_format_share(component)} of the variance"
        group = groups.setdefault((source, source is not None and is_established(components, component)), [])
        group.append(variant if source is None else f"{variant} ({size})")
    parts = []
    for (source, established), variants in groups.items():
        named = join_words(variants) if len(analysed) <= MAX_NAMED else f"{len(variants)} of {len(analysed)} variants"
        if source is None:
            parts.append(f"no single source measurably moves the {title} in {named}")
        elif established:
            parts.append(f"{NAMES[source]} moves the {title} most in {named}")
        else:
            undecided = f"not decided: which source moves the {title} most"
            parts.append(f"{undecided}; {NAMES[source]} has the largest estimate, in {named}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def describe_design(study: ResolvedExperiment) -> str:
    """Return in a sentence or two how large the crossed design is, and how sure its estimates are."""
    design = study.experiment.variance
    assert design is not None
    return (
        f"Estimated from {design.runs} trials of each variant, with {design.repeats * design.levels} seeds of each "
        "source. The intervals are wide; where they overlap, the order of the sources is not established."
    )


def _build_row(design: VarianceDesign, row: VarianceRow) -> list[str]:
    """Return variant, error, mean, and a cell for each source, the residual and a run in which all sources vary."""
    names = [escape_markdown(row.variant), METRICS[row.metric].title]
    found = row.components
    if found is None:
        return [*names, *[ABSENT] * (len(design.sources) + 3)]
    mean = keep_together(f"{format_number(found.mean)}<br>[{format_interval(found.low, found.high)}]")
    cells = [_format_component(component) for component in (*found.sources, found.residual)]
    return [*names, mean, *cells, format_number(found.total)]


def _format_component(component: Component) -> str:
    interval = format_interval(component.low, component.high)
    return keep_together(f"{format_number(component.sd)}<br>[{interval}]<br>{_format_share(component)}")


def _format_share(component: Component) -> str:
    return ABSENT if component.share is None else f"{format_number(100 * component.share, 0)} %"
