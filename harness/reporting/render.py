"""The report: everything is made in memory first, then put in place, so that no half-written report is seen."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from harness.errors import HarnessError
from harness.files import require_writable
from harness.reporting import tables
from harness.reporting.costs import cost_points, on_front
from harness.reporting.figures import FIGURES, draw_figures
from harness.reporting.limitations import limitations
from harness.reporting.published import published_rows
from harness.reporting.verdicts import Verdict, headline, verdicts
from harness.reporting.wording import code, count, escaped, listed, number, p_value, trials
from harness.specs import Study
from harness.tracking.metrics import METRICS
from harness.tracking.table import Results, write_csv

TEMPLATES = Path(__file__).parent / "templates"
SUFFIXES = ("svg", "png")


def write_report(results: Results, directory: Path) -> list[Verdict]:
    """Write README.md, results.csv and figures/ into ``directory``; equal results give equal bytes.

    Returns:
        One verdict per declared contrast.

    Raises:
        HarnessError: No trial is recorded, or the directory cannot be written to; then nothing is changed.
    """
    require_own(directory)
    require_writable(directory / "figures")
    name = results.study.experiment.name
    if not len(results.epochs):
        raise HarnessError(f"no trial of '{name}' is recorded", remedy=f"Run `harness run {name}` first.")
    found, figures = verdicts(results), draw_figures(results)
    readme = markdown(results, found, list(figures))
    content = {f"figures/{key}.{suffix}": made[suffix] for key, made in figures.items() for suffix in SUFFIXES}
    content["experiment.yaml"] = experiment_yaml(results.study)
    stale = [f"figures/{key}.{suffix}" for key in FIGURES if key not in figures for suffix in SUFFIXES]
    try:
        _put_in_place(results, directory, {**content, "README.md": readme.encode()}, stale)
    except OSError as error:
        raise HarnessError(
            f"cannot write the report: {error.strerror or error}",
            where=str(directory),
            remedy="Choose a directory that you may write to, with space left on its disk.",
        ) from error
    return found


def require_own(directory: Path) -> None:
    """Refuse a report's directory that could not be written to, or that leads elsewhere by a link.

    ``--reports`` itself may be one; a link below it, as a checkout may bring, would put files where nobody looks.

    Raises:
        HarnessError: It is so.
    """
    require_writable(directory)
    for place in (directory, directory / "figures"):
        if place.is_symlink():
            raise HarnessError(
                "a report is not written through a link",
                where=str(place),
                remedy="Remove the link, or give the directory that it leads to as --reports.",
            )


def experiment_yaml(study: Study) -> bytes:
    """The experiment as it ran, overrides applied, as a file that ``harness run`` takes."""
    fields = study.experiment.model_dump(mode="json", exclude_defaults=True, exclude={"data": {"root"}})
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=110)
    return f"# {study.experiment.name} as it ran, with every override applied.\n{text}".encode()


def _put_in_place(results: Results, directory: Path, content: dict[str, bytes], stale: Sequence[str]) -> None:
    """Write all files beside their places on the same disk, then move each; the README, which names them, last."""
    created = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=directory, prefix=".report-") as name:
            staging = Path(name)
            write_csv(results, staging / "results.csv")
            for path, data in content.items():
                (staging / path).parent.mkdir(exist_ok=True)
                (staging / path).write_bytes(data)
            if any(path.startswith("figures/") for path in content):
                (directory / "figures").mkdir(exist_ok=True)
            for path in ("results.csv", *content):
                (staging / path).replace(directory / path)
            for path in stale:
                (directory / path).unlink(missing_ok=True)
    except BaseException:
        if created:
            shutil.rmtree(directory, ignore_errors=True)
        raise


def markdown(results: Results, found: Sequence[Verdict], figures: Sequence[str]) -> str:
    """The README as text. Everything that a user named goes through the filter ``md``."""
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
        md=escaped, code=code, p=p_value, row=lambda cells: "| " + " | ".join(cells) + " |", listed=listed
    )
    text = environment.get_template("report.md.j2").render(context(results, found, figures))
    return _squeezed(text)


def _squeezed(text: str) -> str:
    """At most one empty line between blocks, and none at the end."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).strip() + "\n"


def context(results: Results, found: Sequence[Verdict], figures: Sequence[str]) -> dict[str, Any]:
    """What the template shows."""
    study, final = results.study, results.final
    keys = tables.error_keys(final)
    diverged = final[final["outcome"] == "diverged"]
    errors = tables.error_rows(results, final, keys)
    contrasts = [(v, tables.contrast_rows(v), tables.contrast_rows(v.without) if v.without else None) for v in found]
    used = " ".join(
        " ".join(row) for rows in [errors, *(r for _, *some in contrasts for r in some if r)] for row in rows
    )
    return {
        "experiment": study.experiment,
        "data": study.data,
        "figures": figures,
        "headline": headline(found),
        "recorded": f"{len(final)} of {count(len(study.trials), 'declared trial')} recorded, {len(diverged)} diverged",
        "labels": [METRICS[key].title for key in keys],
        "errors": errors,
        "costs": tables.cost_rows(results, final),
        "measured": tables.has_measured(final),
        "processes": _range(final["bench/processes"]),
        "on_gpu": any("cuda" in text.lower() for text in _distinct(final["software"])),
        "front": [point.name for point in on_front(cost_points(results))],
        "latency_front": [point.name for point in on_front(cost_points(results, "bench/latency_s"))],
        "published": published_rows(results, final),
        "counters": _distinct(final["counter"]),
        "shared": bool(final["shared"].any()),
        "agreeing": "‡" in used,
        "contrasts": contrasts,
        "level": f"{study.experiment.look_level:.3g}",
        "directional": any(contrast.share < 1 for contrast in study.experiment.contrasts),
        "tested": [v for v in found if v.p is not None],
        "least": p_value(0.5 ** max((v.n for v in found), default=0)),
        "depths": tables.depth_rows(results, final),
        "training": "clean" if "train/error_clean" in keys else "online",
        "diverged": trials(zip(diverged["variant"], diverged["seed"], strict=True)),
        "diverged_count": len(diverged),
        "chance": number(study.data.chance_error),
        "missing": trials(results.missing),
        "missing_count": len(results.missing),
        "limitations": limitations(study, final, found),
        "recipe": tables.recipe_rows(study.experiment.recipe),
        "conditions": _conditions(final),
        "mixed": [name for name, values in _conditions(final) if len(values) > 1],
        "revisions": _distinct(final["revision"]),
        "dates": _dates(results.epochs["at"]),
        "trials": tables.trial_rows(results, final),
    }


def _conditions(final: pd.DataFrame) -> list[tuple[str, list[str]]]:
    names = {"device": "Device", "software": "Software", "precision": "Precision"}
    names |= {"memory_format": "Memory format", "kernels": "Kernels", "threads": "Threads per trial"}
    return [(names[column], _distinct(final[column])) for column in tables.CONDITIONS]


def _distinct(column: pd.Series) -> list[str]:
    """Different values in the order of the trials; empty ones are named as not recorded."""
    values = column.astype("object").where(column.notna(), "").astype(str).replace("", "not recorded")
    return list(dict.fromkeys(values))


def _range(column: pd.Series) -> str:
    """``5``, or ``5 to 8``."""
    seen = sorted({int(value) for value in column.dropna()})
    return " to ".join(map(str, seen[:: max(len(seen) - 1, 1)]))


def _dates(column: pd.Series) -> str:
    """First and last measurement, to the minute. The times are ISO 8601 in UTC, which sorts as text."""
    seen = sorted(text[:16].replace("T", " ") for text in column if text)
    return f"{seen[0]} to {seen[-1]} UTC" if seen else "not recorded"
