"""Tables of an experiment's report about contrasts and about error against depth; the cells are Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.reporting.figures.series import Series, group_into_series
from harness.reporting.formatting import ABSENT, format_interval, format_number, format_p, format_points, keep_together
from harness.reporting.marks import IMAGES_MARK
from harness.reporting.page.depth_trends import find_onset_depth, fit_slope_on_depth
from harness.reporting.page.tables import Rows
from harness.reporting.statistics.comparisons import Comparison
from harness.reporting.statistics.error_intervals import SEEDS_FOR_INTERVALS
from harness.reporting.statistics.seed_values import list_common_seeds, values_by_seed
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.effect_tests import EffectTest
from harness.reporting.verdicts.outcomes import Bound, Outcome
from harness.reporting.verdicts.verdict import Verdict
from harness.text import escape_markdown
from harness.tracking.metrics import CLEAN_TRAINING_ERROR, METRICS, ONLINE_TRAINING_ERROR
from harness.tracking.results_table import Results

MAX_CONTRASTS = 5
"""Most contrasts in the table at the top of a report; the folded tables show all."""


def build_answer_rows(verdicts: Sequence[Verdict]) -> Rows:
    """Return the table at the top of a report: a heading row per contrast, then a row per component.

    The columns are component, outcome, effects with their intervals, p, and seeds on the claimed side.
    """
    rows: Rows = []
    for verdict in verdicts[:MAX_CONTRASTS]:
        state = f"{verdict.state}, exploratory" if verdict.exploratory else verdict.state
        p = _format_holm(verdict) if len(verdicts) > 1 else ""
        rows.append([f"**{escape_markdown(verdict.title)}**", f"**{state}**", "", p, ""])
        rows += [_build_answer_row(component) for component in verdict.components]
        if verdict.first is not None:
            rows.append(["**The same as first declared**", f"**{verdict.first.state}**", "", "", ""])
            rows += [_build_answer_row(component) for component in verdict.first.components]
    return rows


def _format_holm(verdict: Verdict) -> str:
    """Return p of the verdict by Holm's method; empty where it rests on untrainable variants.

    With stages that spend the level there is no p for the whole level, so the level of the verdict stands there.
    """
    if verdict.untrained:
        return ""
    if (p := verdict.decisive_p) is not None:
        return f"{format_p(p)} (Holm)"
    return f"level {verdict.stage.level:.3g} (Holm)" if verdict.stage is not None and verdict.p is not None else ""


def _build_answer_row(component: Component) -> list[str]:
    """Return the row of a component; without p and seeds where an untrainable variant leaves no claim to count."""
    is_claimed = not component.untrainable
    return [
        escape_markdown(component.label),
        describe_outcome(component),
        "<br>".join(format_effect(test) for test in component.tests),
        keep_together(_format_component_p(component)) if is_claimed else ABSENT,
        keep_together(count_claimed_seeds(component)) if is_claimed else ABSENT,
    ]


def _format_component_p(component: Component) -> str:
    """Return p of the outcome that is shown, and that of the robust test where it is larger.

    Where either side is claimed, p is the two-sided one.
    """
    if component.is_two_sided:
        # Two of the sign vectors are as extreme as possible, so the smallest p is twice that of a one-sided test.
        return format_p(component.claimed_p, component.n - 1)
    text, robust = format_p(component.p, component.n), component.robust_p
    if component.p is None or robust is None or robust <= component.p:
        return text
    return f"{text}<br>robust: {format_p(robust)}"


def describe_outcome(component: Component) -> str:
    """Return the outcome with its region, such as ``not worse (< 0.5)``; else ``undecided`` or ``untrainable``."""
    reached = component.reached_outcome
    if reached is None or any(test.is_order for test in component.tests):
        return escape_markdown(component.outcome_name)
    return f"{escape_markdown(reached.outcome.name)} ({keep_together(_format_region(reached.outcome))})"


def _format_region(outcome: Outcome) -> str:
    """Return the effects that an outcome is, such as ``> 0.5`` or ``within ±0.5``, as Markdown."""
    if len(outcome.bounds) == 2 and sum(value for _, value in outcome.bounds) == 0:
        return f"within ±{max(value for _, value in outcome.bounds):g}"
    return " and ".join(map(_format_bound, outcome.bounds))


def _format_bound(bound: Bound) -> str:
    side, value = bound
    return escape_markdown(f"{'<' if side == 'less' else '>'} {value:g}".replace("-", "\N{MINUS SIGN}"))


def name_metric(metric: str) -> str:
    """Return a metric in a word or two, as Markdown."""
    label = METRICS[metric].label if metric in METRICS else metric
    return escape_markdown(label.rpartition(", ")[2].lower())


def format_effect(test: EffectTest) -> str:
    """Return the metric in a word or two, the effect, and its 95 % interval in brackets."""
    name = name_metric(test.metric)
    if test.is_order:
        earlier, later = (sum(value == sign for value in test.differences.values()) for sign in (-1, 1))
        return keep_together(f"{name}: earlier in {earlier}, later in {later} of {test.n}")
    if test.low is not None:
        mark = f" {IMAGES_MARK}" if test.over_images else ""
        interval = f" [{format_interval(test.low, test.high, sign=True)}]{mark}"
    else:
        interval = " (equal in all seeds)" if test.comparison and test.comparison.sd == 0 and test.n > 1 else ""
    return keep_together(f"{name} {format_points(test.effect)}{interval}")


def count_claimed_seeds(component: Component) -> str:
    """Return on how many seeds the effect lies on the claimed side, in the metric with fewest: ``8 of 8``."""
    if not component.n:
        return ABSENT
    counts = [
        min(sum(map(result.outcome.holds_for, test.differences.values())) for test in component.tests)
        for result in component.claimed_outcomes
    ]
    return f"{max(counts)} of {component.n}"


def build_contrast_rows(verdict: Verdict) -> Rows:
    """Return a row per component and metric of a verdict; the deciding metric is in bold.

    The columns are component, metric, effect, 95 % interval, p of each bound, n, P(A < B) and correlation.
    """
    rows = []
    for component in verdict.components:
        for test in component.tests:
            label = METRICS[test.metric].label if test.metric in METRICS else test.metric
            is_weaker = test is component.weakest_test and len(component.tests) > 1
            is_deciding = is_weaker and bool(test.p) and not component.untrainable
            comparison = test.comparison if test.n >= SEEDS_FOR_INTERVALS else None
            mark = f" {IMAGES_MARK}" if test.over_images else ""
            rows.append(
                [
                    escape_markdown(component.label),
                    f"**{label}**" if is_deciding else label,
                    format_points(test.effect),
                    keep_together(format_interval(test.low, test.high, sign=True) + mark),
                    _format_ps(component, test),
                    str(test.n),
                    _format_probability(comparison),
                    format_number(comparison.correlation if comparison else None),
                ]
            )
    return rows


def _format_ps(component: Component, test: EffectTest) -> str:
    """Return p of each bound on its own line, with that of the robust test where the differences are skewed."""
    lines = []
    for bound in dict.fromkeys(bound for result in component.outcomes for bound in result.outcome.bounds):
        if bound in test.p:
            robust = f", robust {format_p(test.robust_p[bound], test.n)}" if bound in test.robust_p else ""
            lines.append(f"{_format_bound(bound)}: {format_p(test.p[bound], test.n)}{robust}")
    return keep_together("<br>".join(lines)) or ABSENT


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
    errors = [values_by_seed(final, variant.name, key) for variant in line.variants]
    seeds = sorted(list_common_seeds(errors))
    if len(errors) < 2 or len(seeds) < SEEDS_FOR_INTERVALS:
        return None
    return np.array([[by_seed[seed] for seed in seeds] for by_seed in errors])
