"""The values that the template ``report.md.j2`` shows, one function per section of the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from harness.reporting.analyses.content import build_analyses_content
from harness.reporting.answer_lines import write_answer_lines
from harness.reporting.comparability import list_distinct
from harness.reporting.figures.drawable_effects import describe_effects_figure, list_drawable_effects
from harness.reporting.figures.error_against_cost import CostPanels, find_cost_fronts
from harness.reporting.figures.layer_curves import find_normalisation
from harness.reporting.figures.training_curves import MAX_SEED_LINES
from harness.reporting.formatting import (
    ABSENT,
    format_dates,
    format_number,
    format_p,
    format_quantity,
    format_trials,
    join_words,
)
from harness.reporting.page import tables
from harness.reporting.page.contrast_tables import (
    MAX_CONTRASTS,
    build_answer_rows,
    build_contrast_rows,
    build_depth_rows,
)
from harness.reporting.page.limitations import describe_margins, list_caveats, list_limitations
from harness.reporting.page.published import build_published_rows
from harness.reporting.page.search_section import build_search_section
from harness.reporting.stages.content import build_stages_section
from harness.reporting.statistics.sign_flip_test import MAX_EXACT_PAIRS, RANDOM_FLIPS
from harness.reporting.time_to_target.content import build_time_to_target_section
from harness.reporting.variance.replication import describe_split_seed
from harness.reporting.variance.section import build_variance_section
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import Degradation
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.matching.questions import describe_matches
from harness.specs.measured_cost import CONDITIONS
from harness.tracking.metrics import CLEAN_TRAINING_ERROR, LATENCY_PROCESSES, METRICS, STEP_PROCESSES
from harness.tracking.results_table import Results

MAX_UNFOLDED_ROWS = 4
"""Most variants for which the table of their errors is not folded."""
CONDITION_TITLES = {
    "device": "Device",
    "software": "Software",
    "precision": "Precision",
    "memory_format": "Memory format",
    "kernels": "Kernels",
    "threads": "Threads per trial",
}


def build_report_content(
    results: Results, verdicts: Sequence[Verdict], figures: Sequence[str], cost_panels: CostPanels
) -> dict[str, Any]:
    """Return everything that the template of an experiment's report shows.

    Args:
        verdicts: One per declared contrast.
        figures: Names of the figures that are drawn.
        cost_panels: Panels of the figure ``costs``.
    """
    study, final = results.study, results.final
    errors = _build_errors(results, final)
    contrasts = _build_contrasts(results, verdicts)
    return {
        "experiment": study.experiment,
        "data": study.data,
        "split_seed": describe_split_seed(study),
        "figures": figures,
        **_build_answer(results, final, verdicts),
        **errors,
        **_build_costs(results, final, cost_panels),
        "published": build_published_rows(results, final),
        "tuning": build_search_section(results),
        **build_time_to_target_section(results),
        **build_stages_section(results, verdicts),
        **build_variance_section(results),
        **contrasts,
        **build_analyses_content(study),
        "is_crossed": study.experiment.variance is not None,
        # Slopes by trial are no independent values where trials share seeds.
        "depth_rows": build_depth_rows(results, final) if study.experiment.variance is None else [],
        "trained_seeds": sorted(set(final["seed"].tolist())),
        "many_seeds": len(study.experiment.seeds) > MAX_SEED_LINES,
        "normalisation": sorted(find_normalisation(results)),
        **_build_failures(results, final),
        "untrained": list(dict.fromkeys(name for verdict in verdicts for name in verdict.untrained)),
        "limitations": list_limitations(study, final, verdicts),
        **_build_provenance(results, final),
    }


def _build_answer(results: Results, final: pd.DataFrame, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the two lines of the answer, the table of contrasts, and the caveats that stand beside them."""
    found, certainty = write_answer_lines(results, verdicts)
    rows = build_answer_rows(verdicts)
    caveats, has_more_caveats = list_caveats(results.study, final, verdicts)
    pairs = {component.n for verdict in verdicts for component in verdict.components}
    return {
        "found": found,
        "certainty": certainty,
        "contrast_rows": rows,
        "pairs": f"{min(pairs)} to {max(pairs)}" if len(pairs) > 1 else str(*pairs),
        "contrasts_left_out": max(0, len(verdicts) - MAX_CONTRASTS),
        "margins": describe_margins(results.study),
        "caveats": caveats,
        "has_more_caveats": has_more_caveats,
    }


def _build_errors(results: Results, final: pd.DataFrame) -> dict[str, Any]:
    """Return the table of the variants' errors, and how many trials are recorded."""
    keys = tables.list_measured_errors(final)
    rows = tables.build_error_rows(results, final, keys)
    declared = format_quantity(len(results.study.trials), "declared trial")
    return {
        "recorded": f"{len(final):,} of {declared} {'is' if len(results.study.trials) == 1 else 'are'} recorded",
        "error_titles": [METRICS[key].title for key in keys],
        "error_rows": rows,
        "is_short": len(rows) <= MAX_UNFOLDED_ROWS,
        "has_absent_errors": tables.has_absent_value(rows),
        "training_error": "clean" if CLEAN_TRAINING_ERROR in keys else "online",
    }


def _build_costs(results: Results, final: pd.DataFrame, cost_panels: CostPanels) -> dict[str, Any]:
    """Return the table of the variants' costs, how they were measured, and the Pareto fronts of the figure."""
    fronts, rows = find_cost_fronts(cost_panels), tables.build_cost_rows(results, final)
    return {
        "cost_rows": rows,
        "matches": describe_matches(results.study.experiment.variants),
        "has_absent_costs": tables.has_absent_value(rows),
        "counters": list_distinct(final["counter"]),
        "has_measured_costs": tables.has_measured_costs(final),
        "processes": _format_range([*final[LATENCY_PROCESSES], *final[STEP_PROCESSES]]),
        "on_gpu": any("cuda" in text.lower() for text in list_distinct(final["software"])),
        "unknown_sharing": tables.describe_unknown_sharing(final),
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
    """Return the tables of every contrast, with and without the trials that failed to train, and how p was computed."""
    tested = [verdict for verdict in verdicts if verdict.p is not None]
    most_pairs = max((verdict.n for verdict in tested), default=0)
    is_exact = most_pairs <= MAX_EXACT_PAIRS
    declared = results.study.experiment.contrasts
    drawn = list_drawable_effects(verdicts)
    contrasts = [
        (
            verdict,
            build_contrast_rows(verdict),
            build_contrast_rows(other) if (other := verdict.without_failures) is not None and other.n else [],
        )
        for verdict in verdicts
    ]
    return {
        "contrasts": contrasts,
        "effects_caption": describe_effects_figure(drawn, left_out=len(verdicts) - len(drawn)) if drawn else "",
        "level": f"{results.study.experiment.look_level:.3g}",
        "has_degradation": any(isinstance(contrast, Degradation) for contrast in declared),
        "is_directional": any(contrast.share < 1 for contrast in declared),
        "is_tested": bool(tested),
        "has_adjusted_p": all(verdict.p_adjusted is not None for verdict in verdicts),
        "has_absent_correlation": any(row[-1] == ABSENT for _, *both in contrasts for rows in both for row in rows),
        "most_pairs": most_pairs,
        "smallest_p": format_p(0.5**most_pairs if is_exact else 1 / (RANDOM_FLIPS + 1), most_pairs),
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
