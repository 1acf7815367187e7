"""Write the report of an experiment here, from the record on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.cluster.job_target import ClusterRecord, JobTarget
from harness.api.results.report import report
from harness.errors import HarnessError
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.reporting.verdicts.verdict import Verdict


def pull(
    name: str, target: JobTarget, settings: Settings, notify: Callable[[str], None] = lambda text: None
) -> tuple[list[Verdict], Path]:
    """Write the report of an experiment on this machine, from the record on a cluster.

    Only the MLflow server of the cluster has to run, not Ray.

    Args:
        notify: Receives what the report lacks because Ray does not run.

    Returns:
        Its verdicts, and the path of its README.md.

    Raises:
        HarnessError: The head does not answer, has no MLflow server, or never ran the experiment.
    """
    if target.file is None:
        raise HarnessError(
            "the record of a cluster cannot be found from the address of its job server",
            where=target.option,
            remedy=f"harness report {name} --tracking-uri http://HOST:5000",
        )
    with target.open_record() as record:
        if not record.address:
            raise _missing_server_error(name, target, record)
        try:
            verdicts, page = report(name, replace(settings, tracking_uri=record.address))
        except HarnessError as error:
            if record.address not in str(error) and "--tracking-uri" not in error.where:
                raise
            # The address here is that of a tunnel, and the user gave no --tracking-uri.
            what = error.what.replace(record.address, record.remote_address)
            raise HarnessError(what, where=target.option, remedy=_find_remedy(name, error)) from error
    if not record.has_ray:
        notify(_describe_gaps(page, target))
    return verdicts, page


def _missing_server_error(name: str, target: JobTarget, record: ClusterRecord) -> HarnessError:
    """Return the error for a head on which no MLflow server answers."""
    if record.remote_address:
        what = f"the MLflow server {record.remote_address} of the cluster does not answer"
        remedy = "Run `ray up` with this file: it starts the server again. Its log is ~/mlflow/server.log on the head."
    else:
        what = "no MLflow server runs on the head" + ("" if record.has_ray else ", and no Ray")
        remedy = (
            "The start commands of the file have to export MLFLOW_TRACKING_URI=http://..., as those of cluster.yaml do."
        )
    return HarnessError(
        what,
        where=target.option,
        remedy=f"{remedy} For a record in another place: harness report {name} --tracking-uri ...",
    )


def _find_remedy(name: str, error: HarnessError) -> str:
    """Return the remedy of an error of the record, for a user who reads it through a cluster's file."""
    if "user name and a password" in error.what:
        return (
            "On the head, the server was started with another password than the head's shells and Ray have. End it "
            "there (`pkill mlflow`), then run `ray up` with this file."
        )
    if "--tracking-uri" in error.remedy:
        return f"`harness status` lists what was sent. For a record in another place: harness report {name} ..."
    return error.remedy


def _describe_gaps(page: Path, target: JobTarget) -> str:
    """Return what a report lacks that was written from MLflow alone, after Ray has ended."""
    from harness.tracking.results_csv import read_csv

    missing = len(read_csv(page.with_name("results.csv")).missing)
    start = "Ray does not run on the head, so this is what MLflow holds"
    if not missing:
        return f"{start}. No trial is missing."
    return (
        f"{start}. {missing} trial{'s are' if missing > 1 else ' is'} not in it: not trained, not finished, or not "
        f"published yet. `ray up {target}`, then the same `harness run`, completes the record."
    )
