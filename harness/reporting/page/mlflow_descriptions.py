"""Descriptions in MLflow: of the experiment and its report, and of each variant's run with its metrics.

They begin with the two lines of the report's answer and have the same cells as its tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.reporting.answer_lines import format_answer, write_answer_lines
from harness.reporting.data_sets.verdicts import write_lines
from harness.reporting.formatting import format_quantity, format_table_row
from harness.reporting.marks import list_mark_notes
from harness.reporting.page import tables
from harness.reporting.variance.mean_error import estimate_error
from harness.reporting.verdicts.verdict import Verdict
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.any_variant import AnyVariant
from harness.text import escape_markdown
from harness.tracking.metrics import MACS, MEASURED_COSTS, METRICS, PARAMETERS
from harness.tracking.mlflow_record.descriptions import VariantDescription, describe_variant
from harness.tracking.results_table import Results

COST_TITLES = (METRICS[PARAMETERS].label, METRICS[MACS].label, "Training seconds per trial")
MEASURED_COST_TITLES = ("Latency of one image (ms)", "Training step (ms)", "Peak memory (MiB)")


def describe_experiment(results: Results, verdicts: Sequence[Verdict]) -> str:
    """Return the description of an experiment as Markdown: question and answer, then the verdicts in full."""
    # MLflow's UI shows only the first paragraph at first, so question and answer are in it.
    is_single = len(results.study.data_sets) == 1
    lines = write_answer_lines(results, verdicts) if is_single else write_lines(results)
    found, certainty = map(escape_markdown, lines)
    first = f"{escape_markdown(results.study.experiment.question)} **{found}** **{certainty}**"
    details = [escape_markdown(text) for verdict in verdicts for text in (verdict.conclusion, *verdict.remarks)]
    return "\n\n".join([first, *details])


def describe_variants(results: Results, verdicts: Sequence[Verdict]) -> dict[str, VariantDescription]:
    """Return a description, with metrics, of each variant that has a recorded trial, by its name.

    A description begins with the variant; the answer of the experiment follows.

    The metrics are standard deviation and 95 % interval of the last errors (``seeds/sd_...``, ``seeds/low_...``,
    ``seeds/high_...``; intervals from 5 seeds on), and the costs that were measured under the trials' conditions.
    """
    final = results.final
    keys = tables.list_measured_errors(final)
    titles = [METRICS[key].title for key in keys]
    titles += [*COST_TITLES, *(MEASURED_COST_TITLES if tables.has_measured_costs(final) else ())]
    rows = zip(tables.build_error_rows(results, final, keys), tables.build_cost_rows(results, final), strict=True)
    answer, descriptions = format_answer(results, verdicts), {}
    for variant, (error_row, cost_row) in zip(results.study.variants, rows, strict=True):
        trials = final[final["variant"] == variant.name]
        if trials.empty:
            continue
        cells = [*error_row[4:], *cost_row[1:]]
        text = f"{_describe_trials(results, variant, trials)}\n\n{answer}{_render_table(titles, cells)}"
        descriptions[variant.name] = VariantDescription(text, _compute_metrics(results, variant, trials, keys))
    return descriptions


def _describe_trials(results: Results, variant: AnyVariant, trials: pd.DataFrame) -> str:
    """Return one line of Markdown: the variant, its data set, its recorded seeds and its budget."""
    experiment = results.study.experiment
    count = int((trials["outcome"] == TrialStatus.DIVERGED).sum())
    diverged = f", {count} of them diverged (at chance error)" if count else ""
    return (
        f"{describe_variant(variant)}, on {escape_markdown(results.study.data.name)}. {len(trials)} of "
        f"{format_quantity(len(experiment.seeds), 'seed')} recorded{diverged}; "
        f"{format_quantity(experiment.recipe.epochs, 'epoch')}."
    )


def _render_table(titles: Sequence[str], cells: Sequence[str]) -> str:
    """Return a Markdown table with a row per title, followed by a note for each mark in its cells."""
    # MLflow shows a description in a narrow column, which has no room for several lines in a cell.
    rows = [[title, cell.replace("<br>", ", ")] for title, cell in zip(titles, cells, strict=True)]
    lines = ["", "", "| | mean ± sd, [95 % interval], lowest – highest |", "| :-- | :-- |"]
    lines += map(format_table_row, rows)
    lines += [f"\n{note}" for note in list_mark_notes(rows)]
    return "\n".join(lines)


def _compute_metrics(
    results: Results, variant: AnyVariant, trials: pd.DataFrame, keys: Sequence[str]
) -> dict[str, float]:
    """Return standard deviation and interval of a variant's last errors, and its measured costs."""
    metrics: dict[str, float] = {}
    for key in keys:
        error = estimate_error(results.study, trials, variant, key)
        if error is None or error.estimate.n < 2:
            continue
        values = {"sd": error.estimate.sd}
        if error.interval is not None:
            values |= {"low": error.interval.low, "high": error.interval.high}
        metrics |= {f"seeds/{name}_{key.replace('/', '_')}": v for name, v in values.items() if v is not None}
    for key in MEASURED_COSTS:
        measured = trials[key].dropna()
        if len(measured):
            metrics[key] = float(measured.iloc[0])
    return metrics
