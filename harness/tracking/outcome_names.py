"""The words for a trial's outcome in files: the history's JSON, MLflow's tag ``outcome`` and results.csv.

These files are older than :class:`TrialStatus` and call a pruned trial ``stopped``. This module alone translates.
"""

from __future__ import annotations

from harness.specs.experiment.trial_status import TrialStatus

NAMES: dict[str, str] = {
    TrialStatus.RUNNING: "running",
    TrialStatus.FINISHED: "finished",
    TrialStatus.DIVERGED: "diverged",
    TrialStatus.PRUNED: "stopped",
}
"""The outcomes that a history can have, each with its word in files."""
STATUSES = {name: TrialStatus(status) for status, name in NAMES.items()}


def outcome_name(status: TrialStatus) -> str:
    """Return the word that files use for an outcome.

    Raises:
        KeyError: No history can have this status as its outcome.
    """
    return NAMES[status]


def parse_outcome(name: str) -> TrialStatus:
    """Return the status that a word in a file means; a :class:`TrialStatus` is returned as it is.

    Raises:
        ValueError: Files have no such word.
    """
    if isinstance(name, TrialStatus) and name in NAMES:
        return name
    if name not in STATUSES:
        raise ValueError(f"'{name}' is not an outcome of a trial")
    return STATUSES[name]
