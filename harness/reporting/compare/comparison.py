"""One report over several experiments: what each asked and answered, errors side by side where the data is alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import HarnessError
from harness.reporting.comparability import describe_conditions, describe_data, describe_execution, describe_recipe, find_differences, list_distinct
from harness.reporting.compare.errors_figure import draw_errors_side_by_side, is_drawable
from harness.reporting.compare.time_changes import TRAINING_TIME, incomparable_because
from harness.reporting.figures.style import render_figure
from harness.reporting.formatting import ABSENT, format_interval, format_number, format_quantity, join_words, keep_together
from harness.reporting.page.output_directory import install_files, require_report_directory
from harness.reporting.page.report import SUFFIXES, format_dates, render_template
from harness.reporting.page.tables import format_training_seconds, list_measured_errors
from harness.reporting.series import list_seed_values
from harness.reporting.statistics.estimates import estimate_mean
from harness.reporting.verdicts.components import select_error_interval
from harness.reporting.verdicts.verdict import decide_contrasts, format_headline
from harness.specs import DataInfo
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.identity import canonical
from harness.specs.network.any_variant import AnyVariant
from harness.text import escape_markdown
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results, csv_bytes, read_csv

PART = re.compile(r"^\d+-[a-z0-9][a-z0-9._-]*\.csv$")


@dataclass(frozen=True)
class ExperimentResults:
    """One of the experiments.

    Attributes:
        label: Its name; numbered where two have the same.
    """

    label: str
    results: Results
    final: pd.DataFrame


@dataclass(frozen=True)
class NetworkRow:
    """A network that some of the experiments hold.

    Attributes:
        name: As it is shown: with the experiments, where the same name stands for unlike networks.
    """

    name: str
    variant: AnyVariant
    parts: tuple[ExperimentResults, ...]


def read_comparison(directory: Path) -> list[Results]:
    """The results that a report over several experiments keeps beside itself, in their order.

    Raises:
        HarnessError: One cannot be read, or is not called as it should be.
    """
    files = sorted((directory / "results").glob("*.csv"), key=lambda file: file.name)
    strange = [file for file in files if not PART.match(file.name)]
    if strange or not files:
        raise HarnessError(
            "there is no results table" if not files else "this is no results table of a report",
            where=str(strange[0] if strange else directory / "results"),
            remedy="Write the report again: harness report A B --name NAME.",
        )
    return [read_csv(file) for file in sorted(files, key=lambda file: int(file.name.partition("-")[0]))]


def write_comparison(several: Sequence[Results], directory: Path) -> None:
    """Write README.md, figures/ and a results/ table of each experiment; equal results give equal bytes.

    Raises:
        HarnessError: An experiment has no trial or stands there twice, or the directory cannot be written to.
    """
    require_report_directory(directory, "comparison")
    tables = [csv_bytes(results) for results in several]
    for results, table in zip(several, tables, strict=True):
        name = results.study.experiment.name
        if not len(results.epochs):
            raise HarnessError(f"no trial of '{name}' is recorded", remedy=f"Run `harness run {name}` first.")
        if tables.count(table) > 1:
            raise HarnessError(f"the same results of '{name}' are given twice", remedy="Name each of them once.")
    parts = label_experiments(several)
    digits = len(str(len(parts)))
    files = [
        f"results/{number:0{digits}}-{part.results.study.experiment.name}.csv" for number, part in enumerate(parts, 1)
    ]
    groups = group_by_data(parts)
    figures = {}
    if is_drawable([match_networks(group) for group in groups]):
        figures["errors"] = render_figure(
            *_size(groups), lambda f: draw_errors_side_by_side(f, groups, [match_networks(g) for g in groups])
        )
    content = dict(zip(files, tables, strict=True))
    content |= {f"figures/{key}.{suffix}": made[suffix] for key, made in figures.items() for suffix in SUFFIXES}
    page = render_template("comparison.md.j2", build_comparison_content(directory.name, parts, groups, list(figures)))
    content["README.md"] = page.encode()
    there = [*directory.glob("results/*.csv"), *(directory / f"figures/errors.{suffix}" for suffix in SUFFIXES)]
    names = [str(path.relative_to(directory)) for path in there if PART.match(path.name) or path.stem == "errors"]
    install_files(directory, content, [name for name in names if name not in content])


def label_experiments(several: Sequence[Results]) -> list[ExperimentResults]:
    """The experiments with a name for each that no other has."""
    names = [results.study.experiment.name for results in several]
    times, seen = Counter(names), Counter[str]()
    parts = []
    for name, results in zip(names, several, strict=True):
        seen[name] += 1
        label = f"{name} ({seen[name]})" if times[name] > 1 else name
        parts.append(ExperimentResults(label, results, results.final))
    return parts


def group_by_data(parts: Sequence[ExperimentResults]) -> list[list[ExperimentResults]]:
    """Those of equal data together: only their errors may stand beside each other."""
    groups: dict[str, list[ExperimentResults]] = {}
    for part in parts:
        groups.setdefault(canonical(describe_data(part.results.study)), []).append(part)
    return list(groups.values())


def match_networks(group: Sequence[ExperimentResults]) -> list[NetworkRow]:
    """Every network of a group, equal ones on one row."""
    found: dict[tuple[str, str], tuple[AnyVariant, list[ExperimentResults]]] = {}
    for part in group:
        for variant in part.results.study.variants:
            key = variant.name, canonical(variant.identity())
            found.setdefault(key, (variant, []))[1].append(part)
    times = Counter(name for name, _ in found)
    return [
        NetworkRow(name if times[name] == 1 else f"{name} ({join_words(p.label for p in held)})", variant, tuple(held))
        for (name, _), (variant, held) in found.items()
    ]


def _size(groups: Sequence[Sequence[ExperimentResults]]) -> tuple[float, float]:
    rows = [row for group in groups for row in match_networks(group)]
    return 9.2, 0.9 + 0.75 * len(groups) + 0.2 * sum(max(2, len(row.parts) + 0.4) for row in rows)


def build_comparison_content(
    name: str, parts: Sequence[ExperimentResults], groups: Sequence[Sequence[ExperimentResults]], figures: Sequence[str]
) -> dict[str, Any]:
    """What the template shows."""
    facts = [_facts(part) for part in parts]
    unlike = find_differences(facts)
    same = {field: value for field, value in facts[0].items() if field not in unlike}
    recipe = {field for field in unlike if field.startswith("recipe.")}
    return {
        "name": name,
        "figures": figures,
        "answers": [_answer(part) for part in parts],
        "labels": [part.label for part in parts],
        "tables": [_table(group) for group in groups],
        "shared": _shared(parts),
        "differing": [[escape_markdown(field), *map(escape_markdown, values)] for field, values in unlike.items()],
        "same": [f"{field}: {value}" for field, value in same.items() if value not in ("None", "False")],
        "unlike_data": len(groups) > 1,
        "unlike_recipe": bool(recipe),
        "unlike_conditions": [field for field in describe_conditions(parts[0].final) if field in unlike],
        "mixed": [part.label for part in parts if any(";" in value for value in describe_conditions(part.final).values())],
        "times": _times(parts, groups),
        "verdict_count": sum(len(part.results.study.experiment.contrasts) for part in parts),
    }


def _facts(part: ExperimentResults) -> dict[str, str]:
    study = part.results.study
    return {
        **describe_data(study),
        **describe_recipe(study),
        "seeds": ", ".join(map(str, study.experiment.seeds)),
        **describe_execution(study),
        **describe_conditions(part.final),
        "revision": "; ".join(list_distinct(part.final["revision"])),
    }


def _answer(part: ExperimentResults) -> dict[str, Any]:
    study, final = part.results.study, part.final
    diverged = int((final["outcome"] == TrialStatus.DIVERGED).sum())
    return {
        "label": part.label,
        "question": study.experiment.question,
        "headline": format_headline(decide_contrasts(part.results)),
        "recorded": f"{len(final)} of {format_quantity(len(study.trials), 'declared trial')} recorded, {diverged} diverged; "
        f"{format_quantity(study.experiment.recipe.epochs, 'epoch')} on {study.data.name}, measured "
        f"{format_dates(part.results.epochs['at'])}",
    }


def _table(group: Sequence[ExperimentResults]) -> dict[str, Any]:
    """Errors of every network of a group, an experiment a column."""
    keys = [key for key in METRICS if any(key in list_measured_errors(part.final) for part in group)]
    if "train/error_clean" in keys:
        keys.remove("train/error")
    rows = []
    for row in match_networks(group):
        data = group[0].results.study.data
        for key in keys:
            cells = [_cell(p, row.variant, key, data) if p in row.parts else ABSENT for p in group]
            label = METRICS[key].title
            rows.append(
                [
                    escape_markdown(row.name),
                    str(row.variant.depth),
                    escape_markdown(row.variant.shortcut),
                    label,
                    *cells,
                ]
            )
    facts = describe_data(group[0].results.study)
    return {"labels": [part.label for part in group], "rows": rows, "data": facts["data"], "agreeing": "‡" in str(rows)}


def _cell(part: ExperimentResults, variant: AnyVariant, key: str, data: DataInfo) -> str:
    """Mean ± sd with n, and the 95 % interval on a line of its own."""
    errors = list_seed_values(part.final, variant, key)
    if not errors:
        return ABSENT
    estimate = estimate_mean(errors)
    spread = f" ± {format_number(estimate.sd)}" if estimate.sd is not None else ""
    lines = [f"{format_number(estimate.mean)}{spread}, n = {estimate.n}"]
    bounds = select_error_interval(estimate, key, data)
    if bounds is not None:
        lines.append(f"[{format_interval(bounds.low, bounds.high)}]{' ‡' if bounds.binomial else ''}")
    return keep_together("<br>".join(lines))


def _shared(parts: Sequence[ExperimentResults]) -> list[str]:
    """Which trials two experiments share, and whether they came out the same; plain sentences."""
    said = []
    for a, b in combinations(parts, 2):
        both = a.final.merge(b.final, on="trial", suffixes=("", " there"))
        if both.empty:
            continue
        errors = ("train/error", "train/error_clean", "test/error")
        unlike = pd.Series(False, index=both.index)
        for key in errors:
            unlike |= (both[key] != both[f"{key} there"]) & both[key].notna()
        names = list(dict.fromkeys(both["variant"]))
        other = f"; {format_quantity(int(unlike.sum()), 'of them', 'of them')} came out differently in the two" * bool(
            unlike.any()
        )
        said.append(f"{a.label} and {b.label} share {format_quantity(len(both), 'trial')}, of {join_words(names)}{other}")
    return said


def _times(parts: Sequence[ExperimentResults], groups: Sequence[Sequence[ExperimentResults]]) -> dict[str, Any]:
    """Seconds of the training clock where all may be compared; else the reasons why not."""
    if len(groups) > 1:
        return {"rows": [], "reasons": ["the experiments are of unlike data"]}
    reasons = []
    for a, b in combinations(parts, 2):
        sides = a.label, b.label
        reason = incomparable_because(TRAINING_TIME, (a.final, b.final), (a.results.study, b.results.study), sides)
        if reason is not None:
            reasons.append(f"{a.label} and {b.label}: {reason or 'none is measured'}")
    if reasons:
        return {"rows": [], "reasons": reasons}
    rows = [
        [
            escape_markdown(row.name),
            *(format_training_seconds(_alone(part, row)) if part in row.parts else ABSENT for part in parts),
        ]
        for row in match_networks(parts)
    ]
    return {"rows": rows, "reasons": []}


def _alone(part: ExperimentResults, row: NetworkRow) -> pd.DataFrame:
    """Its trials that had their device to themselves."""
    mine = _of(part, row)
    return mine[~mine["shared"].astype(bool)]


def _of(part: ExperimentResults, row: NetworkRow) -> pd.DataFrame:
    return part.final[part.final["variant"] == row.variant.name]
