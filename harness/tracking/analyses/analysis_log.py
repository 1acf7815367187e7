"""The analyses in a record: each report and each stage adds a file, so that two at once lose nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.specs import ResolvedExperiment
from harness.specs.declarations.analysis import AnalysisLog, merge_logs
from harness.specs.declarations.declare import add_logs, cell_hashes, list_recipe_views
from harness.specs.identity import digest

LOG_FOLDER = "analyses"
"""Folder of the files, below the artifacts of the run ``report``, or below the home without MLflow."""


class AnalysisStore(Protocol):
    """The part of a record that holds analyses."""

    @property
    def is_read_only(self) -> bool:
        """Whether the record may only be read."""

    def add_analyses(self, log: AnalysisLog) -> None:
        """Add analyses with their declarations; nothing is replaced."""

    def read_other_analyses(self) -> list[AnalysisLog]:
        """Return the analyses of the other experiments in the store."""
        ...


def write_analyses(store: AnalysisStore, study: ResolvedExperiment, log: AnalysisLog) -> ResolvedExperiment:
    """Write to the record what is new among some analyses, and return the experiment with all of them.

    Args:
        study: The experiment with the analyses that the record holds.
        log: Analyses with their declarations, such as those of a report or of a stage.

    Raises:
        HarnessError: The record cannot be written.
    """
    recorded = add_logs(study, [log])
    held = {analysis.key for analysis in study.analyses}
    new = tuple(analysis for analysis in recorded.analyses if analysis.key not in held)
    if new:
        store.add_analyses(merge_logs([AnalysisLog(declarations=recorded.declarations, analyses=new)]))
    return recorded


def select_shared(study: ResolvedExperiment, logs: Iterable[AnalysisLog]) -> AnalysisLog:
    """Return those analyses that showed results of everything that some contrast of an experiment compares.

    By them an experiment is recognised under another name.
    """
    contrasts = [
        set(cell_hashes(view, names.values())) for view in list_recipe_views(study) for names in view.contrast_variants
    ]
    merged = merge_logs(logs)
    shared = tuple(a for a in merged.analyses if any(cells <= set(a.seen) for cells in contrasts))
    return merge_logs([AnalysisLog(declarations=merged.declarations, analyses=shared)])


def add_other_analyses(store: AnalysisStore, study: ResolvedExperiment) -> ResolvedExperiment:
    """Return the experiment with the analyses that other experiments of the store made of the same cells."""
    if not study.experiment.contrasts:
        return study
    return add_logs(study, [select_shared(study, store.read_other_analyses())])


def format_log(log: AnalysisLog) -> tuple[str, str]:
    """Return the name of the file of some analyses, and its content. Equal analyses have one name."""
    content = log.model_dump_json(exclude_defaults=True)
    return f"{digest(content)}.json", content


def parse_log(content: bytes, where: str) -> AnalysisLog:
    """Return the analyses in a file.

    Raises:
        HarnessError: This version cannot read it.
    """
    try:
        return AnalysisLog.model_validate_json(content)
    except ValidationError as error:
        raise HarnessError(
            "this version cannot read the earlier analyses in this file",
            where=where,
            remedy="Use the version that wrote it: without them, no verdict can be called declared.",
        ) from error


def read_log_folder(folder: Path) -> list[AnalysisLog]:
    """Return the analyses in all files of a directory; none where there is no directory."""
    return [parse_log(path.read_bytes(), str(path)) for path in sorted(folder.glob("*.json"))]


def write_log_file(folder: Path, log: AnalysisLog) -> None:
    """Write some analyses to a file of their own."""
    name, content = format_log(log)
    write_atomic(folder / name, content.encode())
