"""Looks at the trials of the quick experiment."""

import io

from rich.console import Console

from harness.api import collect
from harness.api.trials import trials_of
from harness.execution.attempts import read_attempts

QUIET = Console(file=io.StringIO(), width=140)


def states(here, **options):
    """State of each trial of the quick experiment by its id."""
    return {known.id: known.state for known in trials_of(["quick"], here, **options)[0].of("quick")}


def untimed(settings):
    """All its measurements but the times."""
    frame = collect("quick", settings)[0].epochs
    return frame.drop(columns=[c for c in frame.columns if c.startswith("time/")] + ["at", "shared"])


def files(home):
    """Checkpoints and attempts with their content; a store may note the time of a look."""
    return {path: path.read_bytes() for path in sorted((home / "trials").rglob("*")) if path.is_file()}


def rewrite(folder, **changes):
    last = read_attempts(folder)[-1].model_copy(update=changes)
    folder.write(last.name, last.model_dump_json().encode())
