"""The values that the template ``comparison.md.j2`` shows, one function per section of the report."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from harness.reporting.answer_lines import write_answer_lines
from harness.reporting.comparability import (
    describe_conditions,
    describe_data,
    describe_execution,
    describe_recipe,
    find_differences,
    list_distinct,
)
from harness.reporting.comparison.experiment_results import ExperimentResults, NetworkRow, match_networks
from harness.reporting.comparison.verdicts import decide_experiments
from harness.reporting.diff.time_comparability import explain_incomparability
from harness.reporting.formatting import ABSENT, format_dates, format_mean, format_quantity, join_words, keep_together
from harness.reporting.page.contrast_tables import build_answer_rows
from harness.reporting.page.tables import (
    format_error_interval,
    format_training_seconds,
    has_absent_value,
    list_measured_errors,
)
from harness.reporting.variance.mean_error import estimate_error
from harness.reporting.verdicts.verdict import Verdict
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.any_variant import AnyVariant
from harness.text import escape_markdown
from harness.tracking.metrics import CLEAN_TRAINING_ERROR, METRICS, ONLINE_TRAINING_ERROR, TEST_ERROR, TRAINING_SECONDS

SHARED_ERRORS = (ONLINE_TRAINING_ERROR, CLEAN_TRAINING_ERROR, TEST_ERROR)
"""Errors by which two records of one trial are compared."""


def build_comparison_content(
    name: str,
    experiments: Sequence[ExperimentResults],
    groups: Sequence[Sequence[ExperimentResults]],
    figures: Sequence[str],
) -> dict[str, Any]:
    """Return everything that the template of a comparison report shows.

    Args:
        name: Name of the report.
        groups: The experiments in groups of equal data.
        figures: Names of the figures that are drawn.
    """
    tables = [_build_error_table(group) for group in groups]
    return {
        "name": name,
        "figures": figures,
        "labels": [experiment.label for experiment in experiments],
        **_build_answers(experiments),
        "tables": tables,
        "has_absent_errors": any(has_absent_value(table["rows"]) for table in tables),
        "has_unequal_data": len(groups) > 1,
        "has_crossed": any(e.results.study.experiment.variance is not None for e in experiments),
        "shared_trials": _describe_shared_trials(experiments),
        **_build_differences(experiments),
        **_build_times(experiments, groups),
    }


def _build_answers(experiments: Sequence[ExperimentResults]) -> dict[str, Any]:
    """Return the answers of all experiments, one table of their contrasts, and their verdicts in full."""
    verdicts = decide_experiments(experiments)
    rows = []
    for experiment, own in zip(experiments, verdicts, strict=True):
        for title, *cells in build_answer_rows(own):
            # The row of a contrast names its experiment; those of the components follow it.
            rows.append([f"{escape_markdown(experiment.label)}: {title}" if title.startswith("**") else title, *cells])
    return {
        "answers": [_build_answer(*pair) for pair in zip(experiments, verdicts, strict=True)],
        "contrast_rows": rows,
        "conclusions": [(e.label, v) for e, own in zip(experiments, verdicts, strict=True) for v in own],
    }


def _build_answer(experiment: ExperimentResults, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return question and answer of one experiment, and what is recorded of it."""
    study, final = experiment.results.study, experiment.final
    declared = format_quantity(len(study.trials), "declared trial")
    diverged = int((final["outcome"] == TrialStatus.DIVERGED).sum())
    return {
        "label": experiment.label,
        "question": study.experiment.question,
        **write_answer_lines(experiment.results, verdicts)._asdict(),
        "recorded": f"{len(final):,} of {declared} recorded, {diverged} diverged; "
        f"{format_quantity(study.experiment.recipe.epochs, 'epoch')} on {study.data.name}, measured "
        f"{format_dates(experiment.results.epochs['at'])}",
    }


def _build_error_table(group: Sequence[ExperimentResults]) -> dict[str, Any]:
    """Return the errors of every network of a group: a row per network and error, a column per experiment."""
    keys = [key for key in METRICS if any(key in list_measured_errors(experiment.final) for experiment in group)]
    if CLEAN_TRAINING_ERROR in keys:
        keys.remove(ONLINE_TRAINING_ERROR)
    rows = []
    for network in match_networks(group):
        variant = network.variant
        name = [escape_markdown(network.name), str(variant.depth), escape_markdown(variant.shortcut)]
        for key in keys:
            cells = [
                _format_error_cell(experiment, variant, key) if experiment in network.experiments else ABSENT
                for experiment in group
            ]
            rows.append([*name, METRICS[key].title, *cells])
    return {
        "labels": [experiment.label for experiment in group],
        "data": describe_data(group[0].results.study)["data"],
        "rows": rows,
    }


def _format_error_cell(experiment: ExperimentResults, variant: AnyVariant, key: str) -> str:
    """Return mean ± standard deviation with n, and the 95 % interval on its own line."""
    error = estimate_error(experiment.results.study, experiment.final, variant, key)
    if error is None:
        return ABSENT
    lines = [f"{format_mean(error.estimate.mean, error.estimate.sd)}, n = {error.estimate.n}"]
    if error.interval is not None:
        lines.append(format_error_interval(error.interval))
    return keep_together("<br>".join(lines))


def _describe_shared_trials(experiments: Sequence[ExperimentResults]) -> list[str]:
    """Return a plain sentence for every two experiments that share trials; it says if their results differ."""
    sentences = []
    for a, b in combinations(experiments, 2):
        shared = a.final.merge(b.final, on="trial", suffixes=("", " in b"))
        if shared.empty:
            continue
        is_unequal = pd.Series(False, index=shared.index)
        for key in SHARED_ERRORS:
            is_unequal |= (shared[key] != shared[f"{key} in b"]) & shared[key].notna()
        trials = format_quantity(len(shared), "trial")
        sentence = f"{a.label} and {b.label} share {trials}, of {join_words(dict.fromkeys(shared['variant']))}"
        unequal = int(is_unequal.sum())
        if unequal:
            sentence += f"; the results of {unequal:,} of them differ between the two"
        sentences.append(sentence)
    return sentences


def _describe_experiment(experiment: ExperimentResults) -> dict[str, str]:
    """Return data, recipe, seeds, settings and conditions of an experiment as text fields."""
    study = experiment.results.study
    return {
        **describe_data(study),
        **describe_recipe(study),
        "seeds": ", ".join(map(str, study.experiment.seeds)),
        **describe_execution(study),
        **describe_conditions(experiment.final),
        "revision": "; ".join(list_distinct(experiment.final["revision"])),
    }


def _build_differences(experiments: Sequence[ExperimentResults]) -> dict[str, Any]:
    """Return the fields in which the experiments differ, and the fields that are equal in all."""
    descriptions = [_describe_experiment(experiment) for experiment in experiments]
    differences = find_differences(descriptions)
    conditions = [describe_conditions(experiment.final) for experiment in experiments]
    return {
        "difference_rows": [
            [escape_markdown(field), *map(escape_markdown, values)] for field, values in differences.items()
        ],
        "equal_fields": [
            f"{field}: {value}"
            for field, value in descriptions[0].items()
            if field not in differences and value not in ("None", "False")
        ],
        "has_unequal_recipe": any(field.startswith("recipe.") for field in differences),
        "unequal_conditions": [field for field in conditions[0] if field in differences],
        "mixed_experiments": [
            experiment.label
            for experiment, fields in zip(experiments, conditions, strict=True)
            if any(";" in value for value in fields.values())
        ],
    }


def _build_times(
    experiments: Sequence[ExperimentResults], groups: Sequence[Sequence[ExperimentResults]]
) -> dict[str, Any]:
    """Return the table of training seconds if all of them are comparable, else the reasons why not."""
    reasons = ["the experiments have unequal data"] if len(groups) > 1 else _explain_incomparable_times(experiments)
    rows = []
    if not reasons:
        for network in match_networks(experiments):
            cells = [_format_seconds(experiment, network) for experiment in experiments]
            rows.append([escape_markdown(network.name), *cells])
    return {"time_rows": rows, "incomparable_times": reasons}


def _explain_incomparable_times(experiments: Sequence[ExperimentResults]) -> list[str]:
    """Return a reason for every two experiments whose training times are not comparable."""
    reasons = []
    for a, b in combinations(experiments, 2):
        studies, labels = (a.results.study, b.results.study), (a.label, b.label)
        reason = explain_incomparability(TRAINING_SECONDS, (a.final, b.final), studies, labels)
        if reason is not None:
            reasons.append(f"{a.label} and {b.label}: {reason}")
    return reasons


def _format_seconds(experiment: ExperimentResults, network: NetworkRow) -> str:
    """Return the training seconds of a network's trials that had their device to themselves."""
    if experiment not in network.experiments:
        return ABSENT
    trials = experiment.select_trials(network.variant)
    return format_training_seconds(trials[~trials["shared"].astype(bool)])
