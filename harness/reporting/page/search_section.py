"""The section "Tuned recipes" of a report: the budget of the search, the chosen recipes, and every search trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.reporting.formatting import ABSENT, format_number, format_quantity, join_words
from harness.reporting.page import tables
from harness.reporting.search_trials import SearchTrial, format_value, list_search_trials
from harness.specs import ResolvedExperiment
from harness.specs.experiment.search_space import SearchRange, Value
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import code_span, escape_markdown
from harness.tracking.metrics import METRICS, VALIDATION_ERROR
from harness.tracking.results_table import Results


def build_search_section(results: Results) -> dict[str, Any]:
    """Return everything that the template ``tuning.md.j2`` shows; empty if the experiment has no search."""
    study, tune = results.study, results.study.experiment.tune
    if tune is None:
        return {}
    trials = list_search_trials(results)
    variants = [variant.name for variant in study.variants]
    recipe = study.experiment.recipe
    common = {name: escape_markdown(format_value(getattr(recipe, name))) for name in tune.fields}
    return {
        "samples": tune.samples,
        "seeds": join_words(tune.seeds),
        "has_several_seeds": len(tune.seeds) > 1,
        "metric": METRICS[tune.metric].label.lower(),
        "metric_title": METRICS[VALIDATION_ERROR].title,
        "searcher": tune.searcher,
        "is_asha": tune.scheduler == "asha",
        "fields": list(tune.fields),
        "space": join_words(f"{code_span(name)} {_describe_range(span)}" for name, span in tune.fields.items()),
        "common_recipe": join_words(f"{code_span(name)} {value}" for name, value in common.items()),
        "starts_with_common_recipe": tune.values_of(recipe) is not None,
        "budget_rows": [_build_budget_row(variant, trials) for variant in variants],
        "is_incomplete": len({sum(t.sample.variant == variant for t in trials) for variant in variants}) > 1,
        "choice_rows": [_build_choice_row(study, variant, trials) for variant in variants] if study.choices else [],
        "kept_common_recipe": _list_variants_with_common_recipe(study),
        **_build_errors(results),
        "trial_rows": [_build_trial_row(trial) for trial in trials],
    }


def _build_errors(results: Results) -> dict[str, Any]:
    """Return the table of the errors at the chosen recipes; without rows before those trials are recorded."""
    tuned = results.tuned
    if tuned is None or not len(tuned.epochs):
        return {"error_titles": [], "error_rows": []}
    keys = tables.list_measured_errors(tuned.final)
    return {
        "error_titles": [METRICS[key].title for key in keys],
        "error_rows": tables.build_error_rows(tuned, tuned.final, keys),
    }


def _list_variants_with_common_recipe(study: ResolvedExperiment) -> list[str]:
    """Return the variants for which the search chose the common recipe, as Markdown."""
    if not study.choices or study.tuned is None:
        return []
    common = study.experiment.recipe
    return [escape_markdown(v.name) for v in study.variants if study.tuned.recipe_of(v.name) == common]


def _describe_range(search_range: SearchRange) -> str:
    """Return a searched range, or its list of values, in words."""
    if search_range.values:
        return f"among {escape_markdown(', '.join(map(format_value, search_range.values)))}"
    scale = " on a logarithmic scale" if search_range.log else ""
    return f"from {search_range.low:g} to {search_range.high:g}{scale}"


def _build_budget_row(variant: str, trials: Sequence[SearchTrial]) -> list[str]:
    """Return variant, number of search trials, their epochs, and how many were pruned and diverged."""
    own = [trial for trial in trials if trial.sample.variant == variant]
    counts = [len(own), sum(trial.epochs for trial in own)]
    counts += [sum(trial.outcome is status for trial in own) for status in (TrialStatus.PRUNED, TrialStatus.DIVERGED)]
    return [escape_markdown(variant), *(f"{count:,}" for count in counts)]


def _build_choice_row(study: ResolvedExperiment, variant: str, trials: Sequence[SearchTrial]) -> list[str]:
    """Return variant, its chosen values, and the search's error with these and with the common recipe."""
    tune = study.experiment.tune
    assert tune is not None
    chosen = next(s for s in study.samples if (s.variant, s.number) == (variant, study.choices[variant]))
    common = tune.values_of(study.experiment.recipe)
    own = [trial for trial in trials if trial.sample.variant == variant]
    return [
        escape_markdown(variant),
        *(escape_markdown(format_value(value)) for value in chosen.fields.values()),
        _format_mean_error(own, chosen.fields),
        _format_mean_error(own, common) if common is not None else ABSENT,
    ]


def _format_mean_error(trials: Sequence[SearchTrial], fields: Mapping[str, Value]) -> str:
    """Return the mean error of the trials with these values; a pruned trial is named with its epochs."""
    own = [trial for trial in trials if trial.sample.fields == fields]
    if not own:
        return ABSENT
    # An error after part of the budget is not comparable with the other cells, so the cell says so.
    pruned = [trial.epochs for trial in own if trial.outcome is TrialStatus.PRUNED]
    note = f" (pruned after {format_quantity(min(pruned), 'epoch')})" if pruned else ""
    return format_number(sum(trial.error for trial in own) / len(own)) + note


def _build_trial_row(trial: SearchTrial) -> list[str]:
    """Return variant, sample, searched values, seed, error, outcome and trial id; a chosen sample is in bold."""
    is_pruned = trial.outcome is TrialStatus.PRUNED
    bold = "**" if trial.is_chosen else ""
    return [
        escape_markdown(trial.sample.variant),
        f"{bold}{trial.sample.number}{bold}",
        *(escape_markdown(format_value(value)) for value in trial.sample.fields.values()),
        str(trial.seed),
        format_number(trial.error),
        f"{trial.outcome} after {format_quantity(trial.epochs, 'epoch')}" if is_pruned else str(trial.outcome),
        code_span(trial.id),
    ]
