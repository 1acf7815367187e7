"""A plan as lines and a table on a terminal, and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.table import Table

from harness.cli.console import out, print_note, print_text
from harness.cli.views.declared_view import declared_as_json, describe_declared
from harness.cli.views.stage_view import describe_stages, stages_as_json
from harness.reporting.formatting import format_quantity
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.external import list_source_files
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.experiments.planning.device_budget import GpuHours
    from harness.experiments.planning.plan import Plan
    from harness.specs import ResolvedExperiment
    from harness.specs.experiment.data import DataInfo
    from harness.specs.network.any_variant import AnyVariant

FIRST_CLASSES = 5
"""Classes whose names are printed."""


def plan_as_json(plan: Plan, gpu_hours: GpuHours | None) -> dict[str, Any]:
    """Return a plan as values for JSON.

    The keys are those of earlier versions, so that scripts can still read them; ``job`` numbers the trial groups.

    Args:
        gpu_hours: GPU-hours of the trials to run; None if they use no GPU.
    """
    group_numbers = {planned.trial.id: number for number, group in enumerate(plan.groups) for planned in group.trials}
    return {
        "experiment": plan.study.experiment.name,
        "data": [info.model_dump(mode="json") for info in plan.study.data_sets]
        if len(plan.study.data_sets) > 1
        else plan.study.data.model_dump(mode="json"),
        "seconds": plan.seconds,
        "gpu_hours": gpu_hours and gpu_hours.hours,
        "price": gpu_hours and gpu_hours.cost,
        "sources": list_source_files(plan.study.variants),
        "changes": plan.changes,
        "warning": plan.warning,
        "looks": plan.study.experiment.looks,
        **declared_as_json(plan.study),
        "trials": [
            {
                "trial": planned.trial.id,
                "variant": planned.trial.variant.name,
                "seed": planned.trial.seed,
                "part": planned.part,
                "state": planned.status,
                "in_other_experiment": planned.in_other_experiment,
                "seconds": planned.seconds,
                "job": group_numbers.get(planned.trial.id),
            }
            for planned in plan.trials
        ],
        "later": [asdict(pending) for pending in plan.pending],
        "stages": stages_as_json(plan),
    }


def print_plan(plan: Plan, gpu_hours: GpuHours | None, place: str) -> None:
    """Print a plan.

    Args:
        gpu_hours: GPU-hours of the trials to run; None if they use no GPU.
        place: Where the trials would run.
    """
    experiment = plan.study.experiment
    out.print(f"[bold]{experiment.name}[/bold]: {escape_rich(experiment.question)}")
    for data in plan.study.data_sets:
        out.print(
            f"{data.title} {data.size[0]}x{data.size[1]}, {data.train} training, {data.val} validation and {data.test} "
            f"test images, fingerprint {data.fingerprint}; {format_quantity(experiment.recipe.epochs, 'epoch')} of "
            f"batch {experiment.recipe.batch}."
        )
        if data.class_names:
            print_text("; ".join([_describe_classes(data), *data.split_notes]) + ".")
        for note in data.notes:
            print_note(note, out)
    out.print_table(_variant_table(plan))
    out.print(_count_states(plan))
    for name, files in list_source_files(plan.study.variants).items():
        print_text(f"The identity of {name} covers the code in {', '.join(files)}.")
    for line in [*describe_declared(plan.study), *describe_search(plan), *describe_stages(plan)]:
        print_text(line)
    print_changes(plan)
    if plan.warning:
        print_note(plan.warning, out)
    for line in _describe_groups(plan):
        print_text(line)
    if plan.to_run or plan.pending:
        duration = timedelta(seconds=round(plan.seconds))
        print_text(f"About {duration} with {plan.concurrency} at a time on {place} (a rough estimate).")
        if gpu_hours is not None:
            out.print(f"About {gpu_hours}.")
    _print_seed_requirements(plan)


def _describe_classes(data: DataInfo) -> str:
    """Return the number of classes and the names of the first ones."""
    names = ", ".join(data.class_names[:FIRST_CLASSES])
    rest = data.classes - FIRST_CLASSES
    return f"{data.classes:,} classes: {names}{f' and {rest:,} more' if rest > 0 else ''}"


def _variant_table(plan: Plan) -> Table:
    """Return a table with a row for each variant, and for a search one row for its samples and one for the chosen."""
    table = Table("variant", "depth", "shortcut", box=None, header_style="bold")
    for heading in ("parameters", "MACs", "trials", "to run", "about"):
        table.add_column(heading, justify="right")
    for view in plan.study.views:
        for variant in view.variants:
            for part in ("common", "search", "tuned"):
                if (row := _variant_row(plan, view, variant, part)) is not None:
                    table.add_row(*row)
    return table


def _variant_row(plan: Plan, view: ResolvedExperiment, variant: AnyVariant, part: str) -> list[str] | None:
    """Return the cells of one row; None where the variant has no trials of this part on the view's data set."""
    from harness.costs.complexity import compute_static_costs

    ids = {trial.id for trial in view.all_trials if trial.variant.identity() == variant.identity()}
    planned = [p for p in plan.trials if p.part == part and p.trial.id in ids]
    pending = [p for p in plan.pending if p.part == part and p.name.startswith(f"{variant.name}, ")]
    if part != "common" and not planned and not pending:
        return None
    to_run = [p for p in planned if p.needs_training]
    seconds = sum(p.seconds for p in to_run) + sum(p.seconds for p in pending)
    more = sum(p.trials for p in pending)
    costs = compute_static_costs(variant, view.data.size)
    shown = view.named_for_data(variant) if len(plan.study.data_sets) > 1 else variant
    return [
        escape_rich(shown.name) if part == "common" else f"  {part}",
        str(variant.depth),
        variant.shortcut,
        f"{costs.params:,}",
        f"{costs.macs:,}",
        str(len(planned) + more),
        str(len(to_run) + more),
        str(timedelta(seconds=round(seconds))) if to_run or pending else "–",
    ]


def _count_states(plan: Plan) -> str:
    counts = Counter(planned.status for planned in plan.trials)
    states = ", ".join(f"{counts[status]} {status}" for status in TrialStatus if counts[status])
    others = sum(planned.in_other_experiment for planned in plan.trials)
    shared = f" ({others} of them trained for another experiment of the store)" if others else ""
    return f"{format_quantity(len(plan.trials), 'trial')}, {len(plan.to_run)} to run: {states}{shared}."


def describe_search(plan: Plan) -> list[str]:
    """Return lines on how far the experiment's search for a recipe is; empty if it has none."""
    tune = plan.study.experiment.tune
    if tune is None:
        return []
    if plan.study.choices:
        chosen = []
        for name, number in plan.study.choices.items():
            fields = plan.study.samples_of(name)[number].fields
            chosen.append(f"  {name}: " + ", ".join(f"{key} {value}" for key, value in fields.items()))
        return [f"Chosen from {tune.samples} samples for each variant, by {tune.metric}:", *chosen]
    trials = tune.samples * len(tune.seeds)
    pending = sum(pending.trials for pending in plan.pending)
    line = f"The search has {format_quantity(trials, 'trial')} for each variant"
    return [f"{line}; {pending} trials depend on its results." if pending else f"{line}."]


def _describe_groups(plan: Plan) -> list[str]:
    """Return lines on how the trials are grouped, and on variants whose seeds cannot be trained together."""
    from harness.experiments.planning.seed_grouping import grouping_obstacles

    if plan.study.experiment.execution.seeds_together == "off" or not plan.to_run:
        return []
    largest = max(len(group.trials) for group in plan.groups)
    count = format_quantity(len(plan.groups), "trial group")
    summary = f"{count} of up to {largest} seeds." if largest > 1 else f"{count}: each trial is trained alone."
    obstacles = grouping_obstacles(plan.to_run, plan.study)
    return [summary, *(f"  {name} is trained alone: {reason}" for name, reason in obstacles.items())]


def print_changes(plan: Plan) -> None:
    """Print which settings differ from the experiment's last run, and which recorded trials still count."""
    if not plan.changes:
        return
    out.print(f"Since the last run of {plan.study.experiment.name}, these settings changed:")
    for line in plan.changes:
        print_text(f"  {line}")
    out.print(f"{plan.recorded} of {len(plan.trials)} trials are recorded with the new settings, and are kept.")
    if any(not line.startswith("seeds:") for line in plan.changes):
        print_text(
            "Trials of the old settings stay in the store, but the report is replaced. Use --set name=... to keep both."
        )


def _print_seed_requirements(plan: Plan) -> None:
    """Print at which numbers of seeds verdicts are tested, and whether the seeds suffice for a verdict."""
    from harness.reporting.formatting import join_words
    from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS

    experiment = plan.study.experiment
    if experiment.contrasts and experiment.looks:
        out.print(
            f"The looks at {join_words(experiment.looks)} seeds share the level of {experiment.level:g}: "
            f"a verdict is tested at {experiment.look_level:.3g} at each."
        )
    if experiment.contrasts and len(experiment.seeds) < SEEDS_FOR_CLAIMS:
        out.print(
            f"[yellow]{len(experiment.seeds)} seeds give no verdict; {SEEDS_FOR_CLAIMS} are needed for claims.[/yellow]"
        )
