"""Read and change the statuses, results and files of the trials of the quick experiment."""

import io

from rich.console import Console

from harness.api import collect
from harness.api.trials.find import open_index
from harness.execution.attempts import read_attempts

SILENT_CONSOLE = Console(file=io.StringIO(), width=140)


def trial_statuses(settings):
    """Return the status of each trial of the quick experiment by its id."""
    return {trial.id: trial.status for trial in open_index(["quick"], settings)[0].list_trials("quick")}


def results_without_times(settings):
    """Return the quick experiment's table of epochs without the columns that differ from run to run."""
    epochs = collect("quick", settings)[0].epochs
    return epochs.drop(columns=[column for column in epochs.columns if column.startswith("time/")] + ["at", "shared"])


def read_trial_files(home):
    """Return the content of each checkpoint and attempt by its path."""
    return {path: path.read_bytes() for path in sorted((home / "trials").rglob("*")) if path.is_file()}


def rewrite_last_attempt(folder, **changes):
    """Replace fields of a trial's last attempt in its file."""
    attempt = read_attempts(folder)[-1].model_copy(update=changes)
    folder.write(attempt.name, attempt.to_json())
