"""The folded part of a report that lists all analyses which the record holds of its results, and what was declared."""

from __future__ import annotations

from typing import Any

from harness.specs import ResolvedExperiment
from harness.specs.declarations.analysis import Analysis
from harness.specs.declarations.changes import describe_contrast, describe_declaration, format_seeds
from harness.specs.declarations.declare import declare
from harness.text import escape_markdown

MAX_ROWS = 60
"""Most analyses in the table: the oldest ones are shown, because they are what the later ones are compared with."""


def build_analyses_content(study: ResolvedExperiment) -> dict[str, Any]:
    """Return the values of the template ``analyses.md.j2``.

    Args:
        study: The experiment of the report. Its analyses end with those of this report.
    """
    rows = [_build_row(study, analysis) for analysis in study.analyses]
    return {
        "analysis_rows": rows[:MAX_ROWS],
        "analyses_left_out": max(len(rows) - MAX_ROWS, 0),
        "declaration_count": len({analysis.declaration for analysis in study.analyses}),
        "look_rows": [
            [str(len(look.seeds)), format_seeds(look.seeds), format_seeds(look.declared)] for look in study.looks
        ],
    }


def _build_row(study: ResolvedExperiment, analysis: Analysis) -> list[str]:
    """Return date, contrast, seeds, what was declared, and the verdict of one analysis, as Markdown."""
    declaration = next((d for d in study.declarations if d.digest == analysis.declaration), None)
    contrast = next((c for c in declaration.contrasts if c.key == analysis.contrast), None) if declaration else None
    place = "" if analysis.experiment == study.experiment.name else f", {escape_markdown(analysis.experiment)}"
    stage = f", stage of {analysis.stage}" if analysis.stage is not None else ""
    is_now = analysis.declaration == declare(study).digest
    if declaration is None or contrast is None:
        return [f"{analysis.date}{place}", "not known", format_seeds(analysis.seeds), "not known", analysis.state]
    return [
        f"{analysis.date}{place}",
        escape_markdown(describe_contrast(contrast)),
        f"{format_seeds(analysis.seeds)}{stage}",
        f"{escape_markdown(describe_declaration(declaration, contrast))}{'' if is_now else ' (another declaration)'}",
        analysis.state,
    ]
