"""The values that the template ``data_sets.md.j2`` shows: the page over all data sets of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.reporting.comparability import list_distinct
from harness.reporting.data_sets.effects import ComponentOverData, EffectOverData, format_ends
from harness.reporting.data_sets.verdicts import DataSetVerdicts, describe_certainty, join_answers
from harness.reporting.figures.drawable_effects import list_borders
from harness.reporting.formatting import (
    ABSENT,
    format_dates,
    format_points,
    format_quantity,
    keep_together,
)
from harness.reporting.page import tables
from harness.reporting.page.contrast_tables import describe_outcome, format_effect, name_metric
from harness.reporting.page.limitations import describe_margins
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import escape_markdown
from harness.tracking.metrics import EVALUATED_ERRORS, METRICS
from harness.tracking.results_table import Results

FEW_DATA_SETS = 5
"""Below so many data sets the page says that their mean is imprecise."""


def build_page_content(
    results: Results,
    several: Sequence[DataSetVerdicts],
    components: Sequence[Sequence[ComponentOverData]],
    folder: str,
) -> dict[str, Any]:
    """Return everything that the template shows.

    Args:
        several: The verdicts on each contrast.
        components: The components of each contrast over the data sets.
        folder: Directory of the pages of single data sets.
    """
    study, final = results.study, results.final
    titles = [info.title for info in study.data_sets]
    return {
        "experiment": study.experiment,
        "data_sets": study.data_sets,
        "found": join_answers(several),
        "certainty": describe_certainty(study, several),
        "rule": several[0].rule if several else "",
        "titles": titles,
        "rows": [row for pair in zip(several, components, strict=True) for row in _build_rows(*pair)],
        "recorded": f"{len(final):,} of {format_quantity(len(study.trials), 'declared trial')}",
        "diverged": int((final["outcome"] == TrialStatus.DIVERGED).sum()) if len(final) else 0,
        "is_few": len(titles) < FEW_DATA_SETS,
        "has_mean": any(effect.mean for each in components for component in each for effect in component.effects),
        "is_pair": len(titles) == 2,
        "figures": {name: _describe_figure(drawn) for name, drawn in list_drawn(several, components).items()},
        "sections": [_build_section(view, several, folder) for view in results.views],
        "cost_rows": [row for view in results.views if len(view.epochs) for row in _build_cost_rows(view)],
        "unknown_sharing": tables.describe_unknown_sharing(final),
        "dates": format_dates(results.epochs["at"]),
        "devices": list_distinct(final["device"]),
        "recipe_rows": tables.build_recipe_rows(study.experiment.recipe),
    }


class DrawnContrast(NamedTuple):
    """A contrast with a forest plot: its claim in a few words, and its components."""

    title: str
    components: Sequence[ComponentOverData]


def list_drawn(
    several: Sequence[DataSetVerdicts], components: Sequence[Sequence[ComponentOverData]]
) -> dict[str, DrawnContrast]:
    """Return each contrast whose effects are in percentage points, by the name of its figure."""
    return {
        f"forest-{number}": DrawnContrast(verdicts.title, each)
        for number, (verdicts, each) in enumerate(zip(several, components, strict=True), 1)
        if each and all(effect.metric in EVALUATED_ERRORS for component in each for effect in component.effects)
    }


def _describe_figure(drawn: DrawnContrast) -> dict[str, Any]:
    """Return the contrast of a figure, and whether the figure has a margin and an untrainable network."""
    components = [component for each in drawn.components for component in each.components.values()]
    return {
        "title": drawn.title,
        "has_margin": any(list_borders(component) not in ([], [0.0]) for component in components),
        "has_untrainable": any(component.untrainable for component in components),
    }


def _build_rows(verdicts: DataSetVerdicts, components: Sequence[ComponentOverData]) -> list[list[str]]:
    """Return the rows of one contrast: its states, then each component with its effects and their mean."""
    states = [
        f"**{verdict.state}{', exploratory' if verdict.exploratory else ''}**" for verdict in verdicts.verdicts.values()
    ]
    total = len(verdicts.verdicts)
    supported = len(verdicts.list_data_sets("supported"))
    rows = [[f"**{escape_markdown(verdicts.title)}**", *states, "", f"**{supported} of {total}**"]]
    for component in components:
        cells = [_build_cell(component, name) for name in component.components]
        means = "<br>".join(_format_mean(effect) for effect in component.effects)
        rows.append([escape_markdown(component.label), *cells, means, f"{component.count_claimed()} of {total}"])
    return rows


def _build_cell(component: ComponentOverData, name: str) -> str:
    """Return the outcome on one data set, and the effect in each metric."""
    effects = [format_effect(effect.tests[name]) for effect in component.effects]
    return "<br>".join([describe_outcome(component.components[name]), *effects])


def _format_mean(effect: EffectOverData) -> str:
    """Return the mean over data sets with its interval, and the interval for one more data set."""
    mean = effect.mean
    if mean is None:
        return ABSENT
    ends = format_ends(effect.metric, mean.low, mean.high)
    interval = keep_together(f"{name_metric(effect.metric)} {format_points(mean.mean)} [{ends}]")
    expected = format_ends(effect.metric, mean.next_low, mean.next_high)
    return f"{interval}<br>{keep_together(f'next {expected}')}"


def _build_section(view: Results, several: Sequence[DataSetVerdicts], folder: str) -> dict[str, Any]:
    """Return the folded section of one data set: its verdicts, its errors, and the link to its own page."""
    info, final = view.study.data, view.final
    keys = tables.list_measured_errors(final) if len(final) else []
    return {
        "info": info,
        "verdicts": [verdicts.verdicts[info.title] for verdicts in several],
        "margins": describe_margins(view.study),
        "error_titles": [METRICS[key].title for key in keys],
        "error_rows": tables.build_error_rows(view, final, keys) if keys else [],
        "page": f"{folder}/{info.title}/README.md" if keys else "",
        "missing": len(view.missing),
    }


def _build_cost_rows(view: Results) -> list[list[str]]:
    """Return the data set, variant, parameters, MACs per image and training seconds of each variant."""
    title = escape_markdown(view.study.data.title)
    return [[title, *row[:4]] for row in tables.build_cost_rows(view, view.final)]
