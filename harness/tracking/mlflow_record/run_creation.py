"""Creating a run in MLflow once, although answers of the store may be lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

from harness.tracking.mlflow_record.tags import (
    COMMIT_TAG,
    KIND_TAG,
    SOURCE_NAME_TAG,
    SOURCE_TYPE_TAG,
    SUPERSEDED_TAG,
    TRIAL_TAG,
    USER_TAG,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class NewRun:
    """A run that is to exist in MLflow. A worker can create it without reading the record.

    Attributes:
        experiment_id: MLflow's id of the experiment.
        tags: With its kind, and for a trial's run the trial's id.
    """

    experiment_id: str
    name: str
    tags: Mapping[str, str]


def find_or_create_run(client: MlflowClient, new: NewRun, start: int, other_than: str = "") -> Run:
    """Return the run, and create it only where an earlier call did not.

    A trial has one run in an experiment, besides superseded ones. Any other run is found by its kind, name and start.

    Args:
        start: When what it records began, in milliseconds since 1970.
        other_than: Id of a run that is not the one to find.

    Raises:
        Exception: Whatever the client raises. The call may be repeated.
    """
    trial = new.tags.get(TRIAL_TAG)
    which = f"tags.`{TRIAL_TAG}` = '{trial}'" if trial else f"attributes.start_time = {start}"
    for run in client.search_runs([new.experiment_id], which, order_by=["attributes.start_time ASC"]):
        is_same = bool(trial) or (run.data.tags.get(KIND_TAG), run.info.run_name) == (new.tags[KIND_TAG], new.name)
        if is_same and SUPERSEDED_TAG not in run.data.tags and run.info.run_id != other_than:
            return run
    return client.create_run(new.experiment_id, start, tags=dict(new.tags), run_name=new.name)


@cache
def origin_tags(command: str) -> Mapping[str, str]:
    """Return the tags from which MLflow's UI shows the user, the source and the version of a run.

    Args:
        command: The command that records, such as ``harness run quickstart``.
    """
    tags = {USER_TAG: user_name(), SOURCE_NAME_TAG: command, SOURCE_TYPE_TAG: "LOCAL", COMMIT_TAG: _source_commit()}
    return {key: value for key, value in tags.items() if value}


def user_name() -> str:
    """Return the user of this process; its number where it has no name."""
    try:
        return getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def _source_commit() -> str:
    """Return the whole git commit of this checkout; empty outside a checkout."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return ""
    try:
        completed = subprocess.run(  # noqa: S603 (all words are written here)
            ["git", "-C", str(root), "rev-parse", "HEAD"],  # noqa: S607 (the user's own git)
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return completed.stdout.strip()
