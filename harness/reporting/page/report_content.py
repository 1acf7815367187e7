"""The values that the template ``report.md.j2`` shows, one function per section of the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from harness.reporting.comparability import list_distinct
from harness.reporting.figures.effects import list_drawable_effects
from harness.reporting.figures.error_against_cost import find_cost_fronts
from harness.reporting.figures.layer_curves import find_normalisation
from harness.reporting.figures.training_curves import MAX_SEED_LINES
from harness.reporting.formatting import (
    format_dates,
    format_number,
    format_p,
    format_quantity,
    format_trials,
    join_words,
)
from harness.reporting.page import tables
from harness.reporting.page.contrast_tables import build_contrast_rows, build_depth_rows
from harness.reporting.page.limitations import list_limitations
from harness.reporting.page.published import build_published_rows
from harness.reporting.page.search_section import build_search_section
from harness.reporting.statistics.sign_flip_test import MAX_EXACT_PAIRS, RANDOM_FLIPS
from harness.reporting.verdicts.summaries import format_headline
from harness.reporting.verdicts.verdict import Verdict
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import CONDITIONS
from harness.tracking.metrics import CLEAN_TRAINING_ERROR, LATENCY_PROCESSES, METRICS, STEP_PROCESSES
from harness.tracking.results_table import Results

CONDITION_TITLES = {
    "device": "Device",
    "software": "Software",
    "precision": "Precision",
    "memory_format": "Memory format",
    "kernels": "Kernels",
    "threads": "Threads per trial",
}


def build_report_content(results: Results, verdicts: Sequence[Verdict], figures: Sequence[str]) -> dict[str, Any]:
    """Return everything that the template of an experiment's report shows.

    Args:
        verdicts: One per declared contrast.
        figures: Names of the figures that are drawn.
    """
    study, final = results.study, results.final
    errors = _build_errors(results, final)
    contrasts = _build_contrasts(results, verdicts)
    tables_with_intervals = [errors["error_rows"], *(rows for _, *both in contrasts["contrasts"] for rows in both)]
    return {
        "experiment": study.experiment,
        "data": study.data,
        "figures": figures,
        "headline": format_headline(verdicts),
        **errors,
        **_build_costs(results, final),
        "published": build_published_rows(results, final),
        "tuning": build_search_section(results),
        **contrasts,
        "has_interval_over_images": any(tables.has_mark(rows, tables.IMAGES_MARK) for rows in tables_with_intervals),
        "depth_rows": build_depth_rows(results, final),
        "many_seeds": len(study.experiment.seeds) > MAX_SEED_LINES,
        "normalisation": sorted(find_normalisation(results)),
        **_build_failures(results, final),
        "limitations": list_limitations(study, final, verdicts),
        **_build_provenance(results, final),
    }


def _build_errors(results: Results, final: pd.DataFrame) -> dict[str, Any]:
    """Return the table of the variants' errors, and how many trials are recorded."""
    keys = tables.list_measured_errors(final)
    declared = format_quantity(len(results.study.trials), "declared trial")
    return {
        "recorded": f"{len(final):,} of {declared} {'is' if len(results.study.trials) == 1 else 'are'} recorded",
        "error_titles": [METRICS[key].title for key in keys],
        "error_rows": tables.build_error_rows(results, final, keys),
        "training_error": "clean" if CLEAN_TRAINING_ERROR in keys else "online",
    }


def _build_costs(results: Results, final: pd.DataFrame) -> dict[str, Any]:
    """Return the table of the variants' costs, how they were measured, and the Pareto fronts of the figure."""
    fronts = find_cost_fronts(results)
    return {
        "cost_rows": tables.build_cost_rows(results, final),
        "counters": list_distinct(final["counter"]),
        "has_measured_costs": tables.has_measured_costs(final),
        "processes": _format_range([*final[LATENCY_PROCESSES], *final[STEP_PROCESSES]]),
        "on_gpu": any("cuda" in text.lower() for text in list_distinct(final["software"])),
        "has_shared_device": bool(final["shared"].any()),
        "drawn_costs": [cost for cost, _ in fronts],
        "fronts": _merge_equal_fronts(fronts),
    }


def _merge_equal_fronts(fronts: Sequence[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """Join the costs whose Pareto fronts hold the same variants.

    Args:
        fronts: Each cost with the names of the variants on its front.

    Returns:
        The costs in words with the names of their common front.
    """
    costs_by_names: dict[tuple[str, ...], list[str]] = {}
    for cost, names in fronts:
        costs_by_names.setdefault(tuple(names), []).append(cost)
    return [(join_words(costs), list(names)) for names, costs in costs_by_names.items()]


def _format_range(numbers: Iterable[float]) -> str:
    """Return ``5``, or ``5 to 8`` for the smallest and largest number; NaN is left out."""
    integers = {int(number) for number in numbers if number == number}
    return " to ".join(str(number) for number in sorted({min(integers), max(integers)})) if integers else ""


def _build_contrasts(results: Results, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the table of every contrast, with and without the seeds of diverged trials, and how p was computed."""
    tested = [verdict for verdict in verdicts if verdict.p is not None]
    most_pairs = max((verdict.n for verdict in tested if verdict.is_paired), default=0)
    is_exact = most_pairs <= MAX_EXACT_PAIRS
    return {
        "contrasts": [
            (
                verdict,
                build_contrast_rows(verdict),
                build_contrast_rows(verdict.without_diverged) if verdict.without_diverged else [],
            )
            for verdict in verdicts
        ],
        "effects_left_out": len(verdicts) - len(list_drawable_effects(verdicts)),
        "level": f"{results.study.experiment.look_level:.3g}",
        "is_directional": any(contrast.share < 1 for contrast in results.study.experiment.contrasts),
        "is_tested": bool(tested),
        "most_pairs": most_pairs,
        "smallest_p": format_p(0.5**most_pairs if is_exact else 1 / (RANDOM_FLIPS + 1)),
        "random_flips": "" if is_exact else f"{RANDOM_FLIPS:,}",
    }


def _build_failures(results: Results, final: pd.DataFrame) -> dict[str, Any]:
    """Return the trials that diverged and those that are not recorded."""
    diverged = final[final["outcome"] == TrialStatus.DIVERGED]
    return {
        "diverged": format_trials(zip(diverged["variant"], diverged["seed"], strict=True)),
        "diverged_count": len(diverged),
        "chance_error": format_number(results.study.data.chance_error),
        "missing": format_trials(results.missing),
        "missing_count": len(results.missing),
    }


def _build_provenance(results: Results, final: pd.DataFrame) -> dict[str, Any]:
    """Return recipe, conditions, dates and trial ids."""
    conditions = [(CONDITION_TITLES[column], list_distinct(final[column])) for column in CONDITIONS]
    return {
        "conditions": conditions,
        "mixed_conditions": [title for title, values in conditions if len(values) > 1],
        "revisions": list_distinct(final["revision"]),
        "dates": format_dates(results.epochs["at"]),
        "recipe_rows": tables.build_recipe_rows(results.study.experiment.recipe),
        "trial_rows": tables.build_trial_rows(results, final),
    }
