"""The report's tables, as rows of finished Markdown cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.reporting.formatting import ABSENT, format_count, format_interval, format_number, format_p, format_points, keep_together
from harness.reporting.series import Series, group_into_series
from harness.reporting.statistics.depth_trends import find_onset_depth, fit_slope_on_depth
from harness.reporting.statistics.estimates import Comparison, estimate_mean, t_interval_factor
from harness.reporting.verdicts.components import SEEDS_FOR_INTERVALS, cell, select_error_interval
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import DataInfo, Recipe
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import CONDITIONS
from harness.specs.network.any_variant import AnyVariant
from harness.text import code_span, escape_markdown
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results

Rows = list[list[str]]
MIXED_CONDITIONS = "mixed conditions"
"""In place of times under unlike hardware, software or settings."""
KEY_FIELDS = ("epochs", "batch", "optimiser", "lr", "schedule", "weight_decay", "precision", "augment")


def list_measured_errors(final: pd.DataFrame) -> list[str]:
    """The errors that were measured, clean training error first."""
    keys = ("train/error_clean", "train/error", "val/error", "test/error")
    return [key for key in keys if final[key].notna().any()]


def build_error_rows(results: Results, final: pd.DataFrame, keys: Sequence[str]) -> Rows:
    """Variant, depth, shortcut, n, and each error's mean ± sd, interval and range."""
    rows = []
    for variant in results.study.variants:
        n = int((final["variant"] == variant.name).sum())
        cells = [format_error_cell(final, variant, key, results.study.data, n) for key in keys]
        rows.append(
            [escape_markdown(variant.name), str(variant.depth), escape_markdown(variant.shortcut), str(n), *cells]
        )
    return rows


def format_error_cell(final: pd.DataFrame, variant: AnyVariant, key: str, data: DataInfo, trials: int) -> str:
    """Mean ± sd, then the 95 % interval and the range of the seeds on lines of their own; n where it is not all."""
    values = list(cell(final, variant.name, key, frozenset()).values())
    if not values:
        return ABSENT
    estimate = estimate_mean(values)
    lines = [format_number(estimate.mean) + (f" ± {format_number(estimate.sd)}" if estimate.sd is not None else "")]
    bounds = select_error_interval(estimate, key, data)
    if bounds is not None:
        lines.append(f"[{format_interval(bounds.low, bounds.high)}]{' ‡' if bounds.binomial else ''}")
    if estimate.n > 1:
        lines.append(f"{format_number(estimate.min)} – {format_number(estimate.max)}")
    if estimate.n != trials:
        lines.append(f"n = {estimate.n}")
    return keep_together("<br>".join(lines))


def build_cost_rows(results: Results, final: pd.DataFrame) -> Rows:
    """Variant, parameters, MACs, training seconds of a trial; then what was measured, if anything was."""
    rows, measured = [], has_measured_costs(final)
    for variant in results.study.variants:
        mine = final[final["variant"] == variant.name]
        costs = [format_count(mine[key].iloc[0]) if len(mine) else ABSENT for key in ("cost/params", "cost/macs")]
        bench = [_bench(mine, "bench/latency"), _bench(mine, "bench/step"), _mebibytes(mine)] if measured else []
        rows.append([escape_markdown(variant.name), *costs, format_training_seconds(mine), *bench])
    return rows


def has_measured_costs(final: pd.DataFrame) -> bool:
    """Whether the cost of some variant was measured under the conditions of its trials."""
    return bool(final[["bench/latency_s", "bench/step_s"]].notna().to_numpy().any())


def _bench(mine: pd.DataFrame, key: str) -> str:
    """Milliseconds of a measured cost: mean and 95 % t interval over processes."""
    measured = mine[mine[f"{key}_s"].notna()]
    if measured.empty:
        return ABSENT
    if _mixed(measured):
        return MIXED_CONDITIONS
    row = measured.iloc[0]
    mean = 1000 * row[f"{key}_s"]
    half = 1000 * row[f"{key}_sd_s"] * t_interval_factor(int(row[f"{key}_n"]))
    return keep_together(f"{format_number(mean)} [{format_interval(mean - half, mean + half)}]")


def _mebibytes(mine: pd.DataFrame) -> str:
    measured = mine[mine["bench/peak_bytes"].notna()]
    if _mixed(measured):
        return MIXED_CONDITIONS
    return ABSENT if measured.empty else f"{format_number(measured['bench/peak_bytes'].iloc[0] / 2**20, 0)}"


def _mixed(rows: pd.DataFrame) -> bool:
    return len(rows[list(CONDITIONS)].drop_duplicates()) > 1


def format_training_seconds(mine: pd.DataFrame) -> str:
    """Times under unlike conditions are not averaged; diverged trials ended early and do not count."""
    ended = mine[(mine["outcome"] == TrialStatus.FINISHED) & mine["time/train_s"].notna()]
    if ended.empty:
        return ABSENT
    if _mixed(ended):
        return MIXED_CONDITIONS
    estimate = estimate_mean(ended["time/train_s"].to_numpy())
    spread = f" ± {format_number(estimate.sd, 1)}" if estimate.sd is not None else ""
    return keep_together(f"{format_number(estimate.mean, 1)}{spread}{' †' if ended['shared'].any() else ''}")


def build_contrast_rows(verdict: Verdict) -> Rows:
    """Component, claim, error, effect, interval, p, n, P(A < B), correlation; the deciding error in bold."""
    rows = []
    for component in verdict.components:
        for m in component.measures:
            label = METRICS[m.error].label
            strong = m.p is not None and m is component.deciding and len(component.measures) > 1
            c = m.comparison if m.n >= SEEDS_FOR_INTERVALS else None
            rows.append(
                [
                    escape_markdown(component.label),
                    escape_markdown(component.claim),
                    f"**{label}**" if strong else label,
                    format_points(m.effect),
                    keep_together(format_interval(m.low, m.high, sign=True) + (" ‡" if m.binomial else "")),
                    format_p(m.p),
                    str(m.n) + (" (Welch)" if m.comparison and m.comparison.method == "welch" else ""),
                    _probability(c),
                    format_number(c.correlation if c else None),
                ]
            )
    return rows


def _probability(c: Comparison | None) -> str:
    """P(A < B) with its 95 % interval."""
    if c is None or c.probability is None:
        return ABSENT
    return keep_together(f"{format_number(c.probability)} [{format_interval(c.probability_low, c.probability_high)}]")


def build_depth_rows(results: Results, final: pd.DataFrame) -> Rows:
    """Line, error, n, slope per ten layers, its interval, and the first depth that is worse than a shallower one."""
    rows = []
    for line in group_into_series(results.study):
        for key in ("train/error_clean", "train/error"):
            found = _complete(line, final, key)
            if found is None:
                continue
            depths, table = found
            slope, onset = fit_slope_on_depth(depths, 10 * table), find_onset_depth(depths, table)
            text = f"{onset.depth} (against {onset.best})" if onset else "none"
            rows.append(
                [
                    escape_markdown(line.label),
                    METRICS[key].label,
                    str(table.shape[1]),
                    format_points(slope.mean),
                    ABSENT if slope.agree else keep_together(format_interval(slope.low, slope.high, sign=True)),
                    text,
                ]
            )
    return rows


def _complete(line: Series, final: pd.DataFrame, key: str) -> tuple[list[int], np.ndarray] | None:
    """Depths and errors (depths, seeds) over the seeds that every depth has; None below 5 of them."""
    cells = [cell(final, variant.name, key, frozenset()) for variant in line.variants]
    seeds = sorted(set.intersection(*(set(c) for c in cells)))
    if len(cells) < 2 or len(seeds) < SEEDS_FOR_INTERVALS:
        return None
    return line.depths, np.array([[c[seed] for seed in seeds] for c in cells])


def build_recipe_rows(recipe: Recipe) -> Rows:
    """Field and value: what differs from its default, and the fields that everybody asks for."""
    fields = recipe.model_dump(mode="json")
    changed = recipe.model_dump(mode="json", exclude_defaults=True)
    shown = [name for name in fields if name in KEY_FIELDS or name in changed]
    in_force = {
        "momentum": recipe.optimiser == "sgd",
        "milestones": recipe.schedule == "step",
        "decay": recipe.schedule == "step",
        "crop_padding": recipe.augment in ("crop", "crop-flip"),
    }
    shown += [name for name, used in in_force.items() if used and name not in shown]
    return [[name, escape_markdown(_value(fields[name]))] for name in shown]


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def build_trial_rows(results: Results, final: pd.DataFrame) -> Rows:
    """Variant, and its seeds with the trial ids."""
    rows = []
    for variant in results.study.variants:
        mine = final[final["variant"] == variant.name]
        ids = [f"{seed}: {code_span(trial)}" for seed, trial in zip(mine["seed"], mine["trial"], strict=True)]
        rows.append([escape_markdown(variant.name), ", ".join(ids) or ABSENT])
    return rows
