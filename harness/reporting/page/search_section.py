"""The search in a report: its budget, what was chosen, and how much the error depends on the searched fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.reporting.figures.style import INK, MARKERS, scale_error_axis, draw_series_legend
from harness.reporting.formatting import ABSENT, format_quantity, format_number, join_words
from harness.reporting.page import tables
from harness.reporting.series import group_into_series, shorten_label
from harness.reporting.verdicts.components import count_images
from harness.specs import ResolvedExperiment, Sample
from harness.specs.experiment.search_space import Value
from harness.specs.experiment.trial_status import TrialStatus
from harness.text import code_span, escape_markdown
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.specs.experiment.search_space import SearchRange

MOST_PANELS = 3


@dataclass(frozen=True)
class SearchPoint:
    """A search trial: its sample, and the validation error that it ended with.

    Attributes:
        error: In percent; chance where it diverged.
        chosen: Whether its sample is its variant's choice.
    """

    sample: Sample
    seed: int
    trial: str
    error: float
    epochs: int
    outcome: TrialStatus
    chosen: bool


def list_search_points(results: Results) -> list[SearchPoint]:
    """Every recorded search trial, in the order of the variants and of their samples."""
    study, points = results.study, []
    rows = {str(trial): frame for trial, frame in results.aside.groupby("trial", sort=False)}
    for sample in study.samples:
        for trial in study.trials_of(sample):
            if trial.id not in rows:
                continue
            mine = rows[trial.id]
            outcome = TrialStatus(mine["outcome"].iloc[-1])
            measured = mine["val/error"].dropna()
            error = study.data.chance_error if outcome is TrialStatus.DIVERGED or measured.empty else float(measured.iloc[-1])
            chosen = study.choices.get(sample.variant) == sample.number
            epochs = int(mine["epoch"].iloc[-1])
            points.append(SearchPoint(sample, trial.seed, trial.id, error, epochs, outcome, chosen))
    return points


def format_value(value: Value) -> str:
    """A field's value as a recipe would have it."""
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def build_search_section(results: Results) -> dict[str, Any]:
    """What the template shows of the search; empty where the experiment has none."""
    study, tune = results.study, results.study.experiment.tune
    if tune is None:
        return {}
    points, tuned = list_search_points(results), results.tuned
    tuned = tuned if tuned is not None and len(tuned.epochs) else None
    final = tuned.final if tuned is not None else None
    keys = tables.list_measured_errors(final) if final is not None else []
    common = {name: getattr(study.experiment.recipe, name) for name in tune.fields}
    return {
        "samples": tune.samples,
        "seeds": join_words(tune.seeds),
        "several": len(tune.seeds) > 1,
        "metric": METRICS[tune.metric].label.lower(),
        "searcher": tune.searcher,
        "asha": tune.scheduler == "asha",
        "fields": list(tune.fields),
        "space": join_words(f"{code_span(name)} {_space(span)}" for name, span in tune.fields.items()),
        "common": join_words(
            f"{code_span(name)} {escape_markdown(format_value(value))}" for name, value in common.items()
        ),
        "own": tune.own(study.experiment.recipe) is not None,
        "planned": tune.samples * len(tune.seeds),
        "recorded": [_budget_row(study, variant.name, points) for variant in study.variants],
        "unequal": len({sum(p.sample.variant == v.name for p in points) for v in study.variants}) > 1,
        "choices": [_choice_row(study, variant.name, points) for variant in study.variants] if study.choices else [],
        "errors": tables.build_error_rows(tuned, final, keys) if tuned is not None and final is not None else [],
        "labels": [METRICS[key].title for key in keys],
        "shared": [
            escape_markdown(v.name)
            for v in study.variants
            if study.choices and study.tuned is not None and study.tuned.recipe_of(v.name) == study.experiment.recipe
        ],
        "trials": [_trial_row(study, point) for point in points],
        "metric_title": METRICS["val/error"].title,
    }


def _space(span: SearchRange) -> str:
    if span.values:
        return f"among {escape_markdown(', '.join(map(format_value, span.values)))}"
    return f"from {span.low:g} to {span.high:g}{', evenly on a logarithmic scale' if span.log else ''}"


def _budget_row(study: ResolvedExperiment, variant: str, points: list[SearchPoint]) -> list[str]:
    """Variant, search trials, epochs of all of them, how many were stopped and how many diverged."""
    mine = [point for point in points if point.sample.variant == variant]
    cells = [len(mine), sum(p.epochs for p in mine)]
    cells += [sum(p.outcome == how for p in mine) for how in (TrialStatus.PRUNED, TrialStatus.DIVERGED)]
    return [escape_markdown(variant), *(f"{value:,}" for value in cells)]


def _choice_row(study: ResolvedExperiment, variant: str, points: list[SearchPoint]) -> list[str]:
    """Variant, the chosen values, its error in the search, and that of the common recipe there."""
    chosen = next(s for s in study.samples if (s.variant, s.number) == (variant, study.choices[variant]))
    tune = study.experiment.tune
    assert tune is not None
    own = tune.own(study.experiment.recipe)
    return [
        escape_markdown(variant),
        *(escape_markdown(format_value(value)) for value in chosen.fields.values()),
        _mean(points, variant, chosen.fields),
        _mean(points, variant, own) if own is not None else ABSENT,
    ]


def _mean(points: list[SearchPoint], variant: str, fields: Mapping[str, Value]) -> str:
    mine = [p for p in points if p.sample.variant == variant and p.sample.fields == fields]
    if not mine:
        return ABSENT
    # The other cells are of whole budgets: an error that was left half-way would flatter them.
    stopped = [p.epochs for p in mine if p.outcome is TrialStatus.PRUNED]
    early = f" (stopped after {format_quantity(min(stopped), 'epoch')})" if stopped else ""
    return format_number(sum(p.error for p in mine) / len(mine)) + early


def _trial_row(study: ResolvedExperiment, point: SearchPoint) -> list[str]:
    values = (escape_markdown(format_value(value)) for value in point.sample.fields.values())
    outcome = f"stopped after {format_quantity(point.epochs, 'epoch')}" if point.outcome is TrialStatus.PRUNED else point.outcome
    strong = "**" if point.chosen else ""
    return [
        escape_markdown(point.sample.variant),
        f"{strong}{point.sample.number}{strong}",
        *values,
        str(point.seed),
        format_number(point.error),
        outcome,
        code_span(point.trial),
    ]


@dataclass(frozen=True)
class VariantStyle:
    """How a variant is drawn."""

    label: str
    colour: str
    marker: str


def assign_variant_styles(study: ResolvedExperiment) -> dict[str, VariantStyle]:
    """By variant: the colour of its series, a marker of its own."""
    found = {}
    lines = group_into_series(study)
    for line in lines:
        for place, variant in enumerate(line.variants):
            several = len(line.variants) > 1
            label = f"{line.label}, depth {variant.depth}" if several else shorten_label(variant.name)
            found[variant.name] = VariantStyle(label, line.colour, MARKERS[(lines.index(line) + 2 * place) % len(MARKERS)])
    return {variant.name: found[variant.name] for variant in study.variants}


def draw_search(figure: Figure, results: Results) -> None:
    """Validation error against each searched number, every search trial a point; the common value a dashed line."""
    study, tune = results.study, results.study.experiment.tune
    assert tune is not None
    points, look = list_search_points(results), assign_variant_styles(study)
    widths = [1.5 if name == "lr" else 1.0 for name in list_drawn_fields(study)]
    axes = figure.subplots(1, len(widths), sharey=True, squeeze=False, width_ratios=widths)[0]
    draw_series_legend(figure, list(look.values()))
    for place, (panel, name) in enumerate(zip(axes, list_drawn_fields(study), strict=True)):
        _panel(panel, study, points, look, name)
        if place == 0:
            scale_error_axis(panel, [p.error for p in points], max(count_images("val/error", study.data), 1))
            panel.set_title(METRICS["val/error"].title)


def list_drawn_fields(study: ResolvedExperiment) -> list[str]:
    """The searched fields that are drawn: the learning rate first."""
    tune = study.experiment.tune
    fields = list(tune.fields) if tune is not None else []
    return sorted(fields, key=lambda name: name != "lr")[:MOST_PANELS]


def _panel(axes: Axes, study: ResolvedExperiment, points: list[SearchPoint], look: dict[str, VariantStyle], name: str) -> None:
    tune = study.experiment.tune
    assert tune is not None
    span, common = tune.fields[name], getattr(study.experiment.recipe, name)
    listed_values = list(span.values)
    for place, (variant, mark) in enumerate(look.items()):
        mine = [p for p in points if p.sample.variant == variant]
        if listed_values:
            aside = 0.5 * ((place + 0.5) / len(look) - 0.5)
            xs = [listed_values.index(p.sample.fields[name]) + aside for p in mine]
        else:
            xs = [float(p.sample.fields[name]) for p in mine]  # type: ignore[arg-type]
            whole = sorted((x, p.error) for x, p in zip(xs, mine, strict=True) if p.outcome is not TrialStatus.PRUNED)
            axes.plot([x for x, _ in whole], [y for _, y in whole], color=mark.colour, linewidth=1.2, alpha=0.45)
        for x, point in zip(xs, mine, strict=True):
            filled = point.outcome is not TrialStatus.PRUNED
            axes.plot(
                [x], [point.error], color=mark.colour, marker="x" if point.outcome is TrialStatus.DIVERGED else mark.marker,
                markersize=7, markerfacecolor=mark.colour if filled else "white", alpha=0.9, zorder=3, linestyle="",
            )  # fmt: skip
            if point.chosen:
                axes.plot(
                    [x], [point.error], color=mark.colour, marker="o", markersize=14, markerfacecolor="none",
                    markeredgewidth=1.4, linestyle="", zorder=4,
                )  # fmt: skip
    labels = {"lr": "Learning rate (peak)", "weight_decay": "Weight decay"}
    axes.set_xlabel(labels.get(name, name.replace("_", " ").capitalize()))
    if listed_values:
        axes.set_xticks(range(len(listed_values)), [format_value(value) for value in listed_values])
        axes.set_xlim(-0.5, len(listed_values) - 0.5)
        return
    if span.log:
        _logarithmic(axes)
    axes.axvline(float(common), color=INK, linewidth=1, linestyle=(0, (4, 3)), alpha=0.6, zorder=1)


def _logarithmic(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
