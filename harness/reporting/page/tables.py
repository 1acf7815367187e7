"""Tables of an experiment's report: those with a row per variant, and that of the recipe. Cells are Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from harness.reporting.formatting import (
    ABSENT,
    format_count,
    format_interval,
    format_mean,
    format_number,
    format_quantity,
    keep_together,
)
from harness.reporting.marks import IMAGES_MARK, SHARED_MARK
from harness.reporting.statistics.error_intervals import ErrorInterval
from harness.reporting.statistics.intervals import estimate_mean, t_interval_factor
from harness.reporting.variance.mean_error import estimate_error
from harness.specs import Recipe, ResolvedExperiment
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import CONDITIONS
from harness.specs.network.any_variant import AnyVariant
from harness.text import code_span, escape_markdown
from harness.tracking.metrics import (
    CLEAN_TRAINING_ERROR,
    LATENCY,
    LATENCY_PROCESSES,
    LATENCY_SD,
    MACS,
    ONLINE_TRAINING_ERROR,
    PARAMETERS,
    STEP_PEAK_BYTES,
    STEP_PROCESSES,
    STEP_SD,
    STEP_SECONDS,
    TEST_ERROR,
    TRAINING_SECONDS,
    VALIDATION_ERROR,
    WAITING_SHARE,
)
from harness.tracking.results_table import Results

Rows = list[list[str]]
MIXED_CONDITIONS = "mixed conditions"
"""Shown in place of a time that was measured under unequal hardware, software or settings."""
ERRORS = (CLEAN_TRAINING_ERROR, ONLINE_TRAINING_ERROR, VALIDATION_ERROR, TEST_ERROR)
KEY_FIELDS = ("epochs", "batch", "optimiser", "lr", "schedule", "weight_decay", "precision", "augment")
"""Recipe fields that are shown even with their default value."""


def list_measured_errors(final: pd.DataFrame) -> list[str]:
    """Return the keys of the errors that were measured, the clean training error first."""
    return [key for key in ERRORS if final[key].notna().any()]


def count_fewest_seeds(study: ResolvedExperiment, final: pd.DataFrame) -> int:
    """Return the number of recorded seeds of the variant that has the fewest."""
    counts = final.groupby("variant").size()
    return min(int(counts.get(variant.name, 0)) for variant in study.variants)


def has_absent_value(rows: Iterable[Sequence[str]]) -> bool:
    """Return whether some cell of a table is a dash, which stands for a value that was not measured."""
    return any(text == ABSENT for row in rows for text in row)


def build_error_rows(results: Results, final: pd.DataFrame, keys: Sequence[str]) -> Rows:
    """Return a row per variant: name, depth, shortcut, n, and one cell per error in ``keys``."""
    rows = []
    for variant in results.study.variants:
        n = int((final["variant"] == variant.name).sum())
        cells = [format_error_cell(results.study, final, variant, key, n) for key in keys]
        rows.append(
            [escape_markdown(variant.name), str(variant.depth), escape_markdown(variant.shortcut), str(n), *cells]
        )
    return rows


def format_error_cell(
    study: ResolvedExperiment, final: pd.DataFrame, variant: AnyVariant, key: str, trials: int
) -> str:
    """Return mean ± standard deviation, 95 % interval, and lowest – highest seed, each on its own line.

    Args:
        final: The last epoch of every trial.
        key: Key of the error.
        trials: Recorded trials of the variant. If some of them lack the error, a last line shows n.
    """
    error = estimate_error(study, final, variant, key)
    if error is None:
        return ABSENT
    estimate = error.estimate
    lines = [format_mean(estimate.mean, estimate.sd)]
    if error.interval is not None:
        lines.append(format_error_interval(error.interval))
    if estimate.n > 1:
        lines.append(f"{format_number(estimate.min)} – {format_number(estimate.max)}")
    if estimate.n != trials:
        lines.append(f"n = {estimate.n}")
    return keep_together("<br>".join(lines))


def format_error_interval(interval: ErrorInterval) -> str:
    """Return ``[low to high]``, with ``‡`` if the interval is over images."""
    return f"[{format_interval(interval.low, interval.high)}]{f' {IMAGES_MARK}' if interval.over_images else ''}"


def build_cost_rows(results: Results, final: pd.DataFrame) -> Rows:
    """Return a row per variant: name, parameters, MACs, training seconds per trial.

    If `harness bench` measured some variant, latency, training step and peak memory follow.
    """
    rows, measured = [], has_measured_costs(final)
    for variant in results.study.variants:
        trials = final[final["variant"] == variant.name]
        counts = [format_count(trials[key].iloc[0]) if len(trials) else ABSENT for key in (PARAMETERS, MACS)]
        latency = format_milliseconds(trials, LATENCY, LATENCY_SD, LATENCY_PROCESSES)
        step = format_milliseconds(trials, STEP_SECONDS, STEP_SD, STEP_PROCESSES)
        costs = [latency, step, format_peak_memory(trials)] if measured else []
        rows.append([escape_markdown(variant.name), *counts, format_training_seconds(trials), *costs])
    return rows


def has_measured_costs(final: pd.DataFrame) -> bool:
    """Return whether the cost of some variant was measured under the conditions of its trials."""
    return bool(final[[LATENCY, STEP_SECONDS]].notna().to_numpy().any())


def format_milliseconds(trials: pd.DataFrame, mean_key: str, sd_key: str, processes_key: str) -> str:
    """Return a variant's measured time in milliseconds: mean and 95 % t interval over processes.

    Args:
        mean_key: Metric of the mean over processes in seconds.
        sd_key: Metric of the standard deviation over processes in seconds.
        processes_key: Metric of the number of processes.
    """
    measured = trials[trials[mean_key].notna()]
    if measured.empty:
        return ABSENT
    if _has_mixed_conditions(measured):
        return MIXED_CONDITIONS
    row = measured.iloc[0]
    mean = 1000 * row[mean_key]
    half = 1000 * row[sd_key] * t_interval_factor(int(row[processes_key]))
    return keep_together(f"{format_number(mean)} [{format_interval(mean - half, mean + half)}]")


def format_peak_memory(trials: pd.DataFrame) -> str:
    """Return a variant's measured peak memory in MiB."""
    measured = trials[trials[STEP_PEAK_BYTES].notna()]
    if _has_mixed_conditions(measured):
        return MIXED_CONDITIONS
    return ABSENT if measured.empty else format_number(measured[STEP_PEAK_BYTES].iloc[0] / 2**20, 0)


def format_training_seconds(trials: pd.DataFrame) -> str:
    """Return mean ± standard deviation of a variant's training seconds per trial.

    Only finished trials count, because diverged ones ended early. Times under unequal conditions are not averaged.
    """
    finished = trials[(trials["outcome"] == TrialStatus.FINISHED) & trials[TRAINING_SECONDS].notna()]
    if finished.empty:
        return ABSENT
    if _has_mixed_conditions(finished):
        return MIXED_CONDITIONS
    estimate = estimate_mean(finished[TRAINING_SECONDS].to_numpy())
    mark = f" {SHARED_MARK}" if finished["shared"].any() else ""
    return keep_together(format_mean(estimate.mean, estimate.sd, 1) + mark)


def describe_unknown_sharing(final: pd.DataFrame) -> str:
    """Return a sentence on the trials of which nothing says whether other programs used their cores; else empty.

    Versions before :data:`WAITING_SHARE` did not record it, nor do other systems than Linux.
    """
    count = int((final[WAITING_SHARE].isna() & ~final["shared"].astype(bool)).sum()) if len(final) else 0
    if not count:
        return ""
    trials = "" if count == len(final) else f" for {format_quantity(count, 'trial')}"
    return f"Other programs may have used the cores: it was not recorded{trials}."


def _has_mixed_conditions(trials: pd.DataFrame) -> bool:
    """Return whether trials ran under unequal hardware, software or settings."""
    return len(trials[list(CONDITIONS)].drop_duplicates()) > 1


def build_recipe_rows(recipe: Recipe) -> Rows:
    """Return name and value of the recipe's key fields, of its changed fields, and of those that they depend on."""
    fields = recipe.model_dump(mode="json")
    changed = recipe.model_dump(mode="json", exclude_defaults=True)
    names = [name for name in fields if name in KEY_FIELDS or name in changed]
    is_in_force = {
        "momentum": recipe.optimiser == "sgd",
        "milestones": recipe.schedule == "step",
        "decay": recipe.schedule == "step",
        "crop_padding": recipe.augment in ("crop", "crop-flip"),
    }
    names += [name for name, in_force in is_in_force.items() if in_force and name not in names]
    return [[name, escape_markdown(_format_field(fields[name]))] for name in names]


def _format_field(value: object) -> str:
    """Return the value of a recipe's field as text."""
    if isinstance(value, list):
        return ", ".join(map(_format_field, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def build_trial_rows(results: Results, final: pd.DataFrame) -> Rows:
    """Return a row per variant: its name, and its seeds with their trial ids."""
    rows = []
    for variant in results.study.variants:
        trials = final[final["variant"] == variant.name]
        ids = [f"{seed}: {code_span(trial)}" for seed, trial in zip(trials["seed"], trials["trial"], strict=True)]
        rows.append([escape_markdown(variant.name), ", ".join(ids) or ABSENT])
    return rows
