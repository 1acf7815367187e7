"""What the report says of each variant, for its run in MLflow: the same cells as in the report's tables."""

from __future__ import annotations

import pandas as pd

from harness.reporting.formatting import format_quantity
from harness.reporting.page import tables
from harness.reporting.series import list_seed_values
from harness.reporting.statistics.estimates import estimate_mean
from harness.reporting.verdicts.components import select_error_interval
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.any_variant import AnyVariant
from harness.text import escape_markdown
from harness.tracking.metrics import MEASURED_COSTS, METRICS
from harness.tracking.mlflow_record.descriptions import VariantDescription, variant_words
from harness.tracking.results_table import Results

STATIC = ("Parameters", "MACs per image", "Training seconds per trial")
MEASURED = ("Latency of one image (ms)", "Training step (ms)", "Peak memory (MiB)")
MARKS = {
    "‡": "‡ All seeds agree: an exact interval over the images.",
    "†": "† The device was shared: not a time to compare by.",
}


def describe_variants(results: Results) -> dict[str, VariantDescription]:
    """A description and metrics for each variant of which trials are recorded, by its name.

    The metrics are ``seeds/sd_...``, ``seeds/low_...`` and ``seeds/high_...`` of the last errors (95 % interval, from
    5 seeds on), and the measured costs, where they were measured under the trials' conditions.
    """
    final = results.final
    keys = tables.list_measured_errors(final)
    titles = [METRICS[key].title for key in keys]
    costs = [*STATIC, *(MEASURED if tables.has_measured_costs(final) else ())]
    rows = zip(tables.build_error_rows(results, final, keys), tables.build_cost_rows(results, final), strict=True)
    found = {}
    for variant, (errors, spent) in zip(results.study.variants, rows, strict=True):
        mine = final[final["variant"] == variant.name]
        if mine.empty:
            continue
        cells = [*zip(titles, errors[4:], strict=True), *zip(costs, spent[1:], strict=True)]
        bad = int((mine["outcome"] == TrialStatus.DIVERGED).sum())
        diverged = f", {bad} of them diverged (at chance error)" if bad else ""
        # A note is read in a narrow column, where the lines of a report's cell go side by side.
        lines = [f"| {title} | {cell.replace('<br>', ', ')} |" for title, cell in cells]
        marks = [words for mark, words in MARKS.items() if any(mark in row for row in lines)]
        text = "\n".join(
            [
                f"{variant_words(variant)}, on {escape_markdown(results.study.data.name)}. {len(mine)} of "
                f"{format_quantity(len(results.study.experiment.seeds), 'seed')} recorded{diverged}; "
                f"{format_quantity(results.study.experiment.recipe.epochs, 'epoch')}.",
                "",
                "| | mean ± sd, [95 % interval], lowest – highest |",
                "| :-- | :-- |",
                *lines,
                *(f"\n{words}" for words in marks),
            ]
        )
        found[variant.name] = VariantDescription(text, _numbers(results, variant, mine, keys))
    return found


def _numbers(results: Results, variant: AnyVariant, mine: pd.DataFrame, keys: list[str]) -> dict[str, float]:
    """Of one variant: spread and interval of its last errors, then its measured costs."""
    numbers: dict[str, float] = {}
    for key in keys:
        errors = list_seed_values(mine, variant, key)
        if len(errors) < 2:
            continue
        estimate = estimate_mean(errors)
        bounds = select_error_interval(estimate, key, results.study.data)
        spread = {"sd": estimate.sd} | ({"low": bounds.low, "high": bounds.high} if bounds is not None else {})
        numbers |= {f"seeds/{name}_{key.replace('/', '_')}": v for name, v in spread.items() if v is not None}
    for key in MEASURED_COSTS:
        measured = mine[key].dropna()
        if len(measured):
            numbers[key] = float(measured.iloc[0])
    return numbers
