"""Tables of an experiment's report about contrasts and about error against depth; the cells are Markdown."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.reporting.figures.series import Series, group_into_series
from harness.reporting.formatting import ABSENT, format_interval, format_number, format_p, format_points, keep_together
from harness.reporting.page.tables import IMAGES_MARK, Rows
from harness.reporting.statistics.comparisons import Comparison
from harness.reporting.statistics.depth_trends import find_onset_depth, fit_slope_on_depth
from harness.reporting.statistics.error_intervals import SEEDS_FOR_INTERVALS
from harness.reporting.statistics.seed_values import values_by_seed
from harness.reporting.verdicts.verdict import Verdict
from harness.text import escape_markdown
from harness.tracking.metrics import CLEAN_TRAINING_ERROR, METRICS, ONLINE_TRAINING_ERROR
from harness.tracking.results_table import Results


def build_contrast_rows(verdict: Verdict) -> Rows:
    """Return a row per component and error of a verdict; the deciding error is in bold.

    The columns are component, claim, error, effect, 95 % interval, p, n, P(A < B) and correlation.
    """
    rows = []
    for component in verdict.components:
        for test in component.tests:
            label = METRICS[test.metric].label
            is_deciding = test.p is not None and test is component.weakest_test and len(component.tests) > 1
            comparison = test.comparison if test.n >= SEEDS_FOR_INTERVALS else None
            mark = f" {IMAGES_MARK}" if test.over_images else ""
            rows.append(
                [
                    escape_markdown(component.label),
                    escape_markdown(component.claim),
                    f"**{label}**" if is_deciding else label,
                    format_points(test.effect),
                    keep_together(format_interval(test.low, test.high, sign=True) + mark),
                    format_p(test.p),
                    str(test.n) + (" (Welch)" if test.comparison and test.comparison.method == "welch" else ""),
                    _format_probability(comparison),
                    format_number(comparison.correlation if comparison else None),
                ]
            )
    return rows


def _format_probability(comparison: Comparison | None) -> str:
    """Return P(A < B) with its 95 % interval."""
    if comparison is None or comparison.probability is None:
        return ABSENT
    interval = format_interval(comparison.probability_low, comparison.probability_high)
    return keep_together(f"{format_number(comparison.probability)} [{interval}]")


def build_depth_rows(results: Results, final: pd.DataFrame) -> Rows:
    """Return a row per kind of net and training error that has at least 5 seeds at every depth.

    The columns are kind, error, n, slope per ten layers, its 95 % interval, and the first depth that is worse than
    a shallower one.
    """
    rows = []
    for line in group_into_series(results.study):
        for key in (CLEAN_TRAINING_ERROR, ONLINE_TRAINING_ERROR):
            errors = _collect_errors_by_depth(line, final, key)
            if errors is None:
                continue
            slope, onset = fit_slope_on_depth(line.depths, 10 * errors), find_onset_depth(line.depths, errors)
            rows.append(
                [
                    escape_markdown(line.label),
                    METRICS[key].label,
                    str(errors.shape[1]),
                    format_points(slope.mean),
                    ABSENT if slope.has_no_spread else keep_together(format_interval(slope.low, slope.high, sign=True)),
                    f"{onset.depth} (against {onset.best_shallower})" if onset else "none",
                ]
            )
    return rows


def _collect_errors_by_depth(line: Series, final: pd.DataFrame, key: str) -> np.ndarray | None:
    """Return errors of shape (depths, seeds) over the seeds that every depth has.

    Return None if there is only one depth or if there are fewer than 5 such seeds.
    """
    cells = [values_by_seed(final, variant.name, key) for variant in line.variants]
    seeds = sorted(set.intersection(*(set(errors) for errors in cells)))
    if len(cells) < 2 or len(seeds) < SEEDS_FOR_INTERVALS:
        return None
    return np.array([[errors[seed] for seed in seeds] for errors in cells])
