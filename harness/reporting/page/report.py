"""The report: everything is made in memory first, then put in place, so that no half-written report is seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from harness.errors import HarnessError
from harness.io.atomic_files import require_writable
from harness.reporting.comparability import list_distinct
from harness.reporting.figures.effects import list_drawable_effects
from harness.reporting.figures.error_against_cost import find_cost_fronts
from harness.reporting.figures.layer_curves import find_normalisation
from harness.reporting.figures.report_figures import FIGURE_NAMES, draw_figures
from harness.reporting.figures.training_curves import MAX_SEED_LINES
from harness.reporting.formatting import format_quantity, format_number, format_p, format_trials, join_words
from harness.reporting.page import tables
from harness.reporting.page.limitations import list_limitations
from harness.reporting.page.output_directory import install_files, require_report_directory
from harness.reporting.page.published import build_published_rows
from harness.reporting.page.search_section import build_search_section
from harness.reporting.statistics.estimates import MAX_EXACT_PAIRS, RANDOM_FLIPS
from harness.reporting.verdicts.verdict import Verdict, decide_contrasts, format_headline
from harness.specs import ResolvedExperiment
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.measured_cost import CONDITIONS
from harness.text import code_span, escape_markdown
from harness.tracking.metrics import METRICS
from harness.tracking.results_table import Results, csv_bytes

TEMPLATES = Path(__file__).parent / "templates"
SUFFIXES = ("svg", "png")


def write_report(results: Results, directory: Path) -> list[Verdict]:
    """Write README.md, results.csv and figures/ into ``directory``; equal results give equal bytes.

    Returns:
        One verdict per declared contrast.

    Raises:
        HarnessError: No trial is recorded, or the directory cannot be written to; then nothing is changed.
    """
    require_report_directory(directory)
    require_writable(directory / "figures")
    name = results.study.experiment.name
    if not len(results.epochs):
        raise HarnessError(f"no trial of '{name}' is recorded", remedy=f"Run `harness run {name}` first.")
    found = decide_contrasts(results)
    figures = draw_figures(results, found)
    readme = render_report(results, found, list(figures))
    content = {"results.csv": csv_bytes(results)}
    content |= {f"figures/{key}.{suffix}": made[suffix] for key, made in figures.items() for suffix in SUFFIXES}
    content |= {"experiment.yaml": format_experiment_yaml(results.study), "README.md": readme.encode()}
    stale = [f"figures/{key}.{suffix}" for key in FIGURE_NAMES if key not in figures for suffix in SUFFIXES]
    install_files(directory, content, stale)
    return found


def format_experiment_yaml(study: ResolvedExperiment) -> bytes:
    """The experiment as it ran, overrides applied, as a file that ``harness run`` takes."""
    fields = study.experiment.model_dump(mode="json", exclude_defaults=True, exclude={"data": {"root"}})
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=110)
    return f"# {study.experiment.name} as it ran, with every override applied.\n{text}".encode()


def render_report(results: Results, found: Sequence[Verdict], figures: Sequence[str]) -> str:
    """The README as text."""
    return render_template("report.md.j2", build_report_content(results, found, figures))


def render_template(name: str, shown: Mapping[str, Any]) -> str:
    """A page as text. Everything that a user named goes through the filter ``md`` there."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (Markdown, not HTML: the filter md escapes for both)
    )
    environment.filters.update(
        md=escape_markdown,
        code=code_span,
        p=format_p,
        row=lambda cells: "| " + " | ".join(cells) + " |",
        listed=join_words,
    )
    return _squeezed(environment.get_template(name).render(shown))


def _squeezed(text: str) -> str:
    """At most one empty line between blocks, and none at the end."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).strip() + "\n"


def build_report_content(results: Results, found: Sequence[Verdict], figures: Sequence[str]) -> dict[str, Any]:
    """What the template shows."""
    study, final = results.study, results.final
    keys = tables.list_measured_errors(final)
    diverged = final[final["outcome"] == TrialStatus.DIVERGED]
    errors = tables.build_error_rows(results, final, keys)
    contrasts = [(v, tables.build_contrast_rows(v), tables.build_contrast_rows(v.without) if v.without else None) for v in found]
    used = " ".join(
        " ".join(row) for rows in [errors, *(r for _, *some in contrasts for r in some if r)] for row in rows
    )
    return {
        "experiment": study.experiment,
        "data": study.data,
        "figures": figures,
        "headline": format_headline(found),
        "recorded": f"{len(final)} of {format_quantity(len(study.trials), 'declared trial')} recorded, {len(diverged)} diverged",
        "labels": [METRICS[key].title for key in keys],
        "errors": errors,
        "costs": tables.build_cost_rows(results, final),
        "measured": tables.has_measured_costs(final),
        "processes": _range([*final["bench/latency_n"], *final["bench/step_n"]]),
        "on_gpu": any("cuda" in text.lower() for text in list_distinct(final["software"])),
        "costs_drawn": [cost for cost, _ in find_cost_fronts(results)],
        "fronts": _same_together(find_cost_fronts(results)),
        "effects_left_out": len(found) - len(list_drawable_effects(found)),
        "responses": sorted(find_normalisation(results)),
        "published": build_published_rows(results, final),
        "counters": list_distinct(final["counter"]),
        "shared": bool(final["shared"].any()),
        "agreeing": "‡" in used,
        "contrasts": contrasts,
        "level": f"{study.experiment.look_level:.3g}",
        "directional": any(contrast.share < 1 for contrast in study.experiment.contrasts),
        "tested": [v for v in found if v.p is not None],
        **_permutations([v.n for v in found if v.p is not None and v.paired]),
        "depths": tables.build_depth_rows(results, final),
        "many_seeds": len(study.experiment.seeds) > MAX_SEED_LINES,
        "training": "clean" if "train/error_clean" in keys else "online",
        "diverged": format_trials(zip(diverged["variant"], diverged["seed"], strict=True)),
        "diverged_count": len(diverged),
        "chance": format_number(study.data.chance_error),
        "missing": format_trials(results.missing),
        "missing_count": len(results.missing),
        "tuning": build_search_section(results),
        "limitations": list_limitations(study, final, found),
        "recipe": tables.build_recipe_rows(study.experiment.recipe),
        "conditions": _conditions(final),
        "mixed": [name for name, values in _conditions(final) if len(values) > 1],
        "revisions": list_distinct(final["revision"]),
        "dates": format_dates(results.epochs["at"]),
        "trials": tables.build_trial_rows(results, final),
    }


def _permutations(pairs: Sequence[int]) -> dict[str, Any]:
    """Of verdicts of so many pairs: the most, the smallest p that they can have, and whether it is of a sample."""
    most = max(pairs, default=0)
    exact = 0.5**most if most <= MAX_EXACT_PAIRS else 1 / (RANDOM_FLIPS + 1)
    return {"most_pairs": most, "least": format_p(exact), "flips": f"{RANDOM_FLIPS:,}" if most > MAX_EXACT_PAIRS else ""}


def _same_together(found: Sequence[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """Costs whose fronts hold the same variants, in one."""
    by_names: dict[tuple[str, ...], list[str]] = {}
    for cost, names in found:
        by_names.setdefault(tuple(names), []).append(cost)
    return [(join_words(costs), list(names)) for names, costs in by_names.items()]


def _conditions(final: pd.DataFrame) -> list[tuple[str, list[str]]]:
    names = {"device": "Device", "software": "Software", "precision": "Precision"}
    names |= {"memory_format": "Memory format", "kernels": "Kernels", "threads": "Threads per trial"}
    return [(names[column], list_distinct(final[column])) for column in CONDITIONS]


def _range(numbers: Iterable[float]) -> str:
    """``5``, or ``5 to 8``; what is not known is left out."""
    seen = sorted({int(value) for value in numbers if value == value})
    return " to ".join(map(str, seen[:: max(len(seen) - 1, 1)]))


def format_dates(column: pd.Series) -> str:
    """First and last measurement, to the minute. The times are ISO 8601 in UTC, which sorts as text."""
    seen = sorted(text[:16].replace("T", " ") for text in column if text)
    return f"{seen[0]} to {seen[-1]} UTC" if seen else "not recorded"
