"""The results of commands that change trials: a rerun, discarded trials, and freed space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.cli.console import err, out, print_failure, print_text
from harness.cli.formatting import format_bytes
from harness.errors import EXIT_FAILED, EXIT_LIMIT
from harness.text import escape_rich, one_line

if TYPE_CHECKING:
    from harness.api.trials.clean_up import CleanupResult
    from harness.tracking.history import History
    from harness.trials.cleanup import FolderCleanup
    from harness.trials.rerun import Rerun


def print_rerun(rerun: Rerun) -> int:
    """Print how a rerun ended, and return the exit code of the command."""
    trial, result = rerun.trial, rerun.result
    if rerun.before is not None and rerun.after is not None:
        _print_comparison(rerun.before, rerun.after)
        experiment, *others = trial.experiments
        print_text(
            f"The earlier training is superseded and kept. `harness report {experiment}` writes the report from the "
            "rerun."
        )
        for other in others:
            print_text(f"{other} shares this trial: `harness run {other}` records the rerun there.")
    if result.store_error or result.unpublished:
        print_text(
            result.store_error or "The trial is trained, but not in the store yet. `harness sync` publishes it.", err
        )
        return EXIT_FAILED
    if result.failed:
        kept = "; the recorded trial was not changed" if rerun.before is not None else ""
        print_failure(trial.label, f"{one_line(*result.failed.values())}{kept}")
        print_text(rerun.traceback, err)
        return EXIT_FAILED
    return EXIT_LIMIT if result.interrupted else 0


def _print_comparison(before: History, after: History) -> None:
    """Print whether two trainings of a trial gave the same metrics, apart from times."""
    from harness.trials.rerun_comparison import differing_settings, first_difference

    difference = first_difference(before, after)
    if not difference:
        out.print(f"[green]The same bit for bit[/green]: all metrics of all {after.last_epoch} epochs, without times.")
        return
    out.print_lines(f"[yellow]Not the same[/yellow]. First difference: {escape_rich(difference)}")
    settings = differing_settings(before, after)
    for line in settings:
        print_text(f"  {line}")
    if not settings:
        print_text("  Software, device and settings are the same.")


def print_discarded(done: Mapping[str, str]) -> None:
    """Print what was done with each trial.

    Args:
        done: What was done, by the trial's label.
    """
    for label, text in done.items():
        print_text(f"{label}: {text}")
    if any(text.startswith("discarded") for text in done.values()):
        print_text("The next harness run trains them again. Then the report and the means in the UI follow.")


def cleanup_as_json(cleanup: CleanupResult, dry_run: bool) -> dict[str, Any]:
    """Return the freed space as values for JSON."""
    folders = [
        {"experiment": experiment} | vars(folder) for experiment, each in cleanup.folders.items() for folder in each
    ]
    return {"dry_run": dry_run, "freed": cleanup.freed, "folders": folders, "skipped": cleanup.skipped}


def print_cleanup(cleanup: CleanupResult, dry_run: bool, storage: str) -> None:
    """Print how much space was freed, folder by folder.

    Args:
        dry_run: Whether nothing was changed. The numbers are then the space that would be freed.
        storage: The place of all checkpoints.
    """
    freed = "would be freed" if dry_run else "freed"
    for experiment, folders in cleanup.folders.items():
        _print_folders(experiment, folders, freed)
    for experiment, reason in cleanup.skipped.items():
        print_text(f"{experiment} was left out: {reason}", err)
    if cleanup.freed:
        out.print_lines(
            f"[bold]{format_bytes(cleanup.freed)}[/bold] {freed} in {escape_rich(storage)}. All histories are kept."
        )
    else:
        print_text(f"Nothing to free in {storage}.")


def _print_folders(experiment: str, folders: list[FolderCleanup], freed: str) -> None:
    for folder in folders:
        if folder.freed:
            out.print(f"  {folder.folder:<26} {format_bytes(folder.freed):>10}")
        else:
            print_text(f"  {folder.folder} was not changed: {folder.skip_reason}", err)
    total = sum(folder.freed for folder in folders)
    if total:
        count = sum(folder.freed > 0 for folder in folders)
        plural = "s" if count != 1 else ""
        owner = experiment or "trials of no experiment in this store"
        print_text(f"{owner}: {format_bytes(total)} {freed} in {count} folder{plural}")
