"""Write the report of an experiment here, from the record on a cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.cluster.job_target import JobTarget
from harness.api.results.report import report
from harness.errors import HarnessError
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.reporting.verdicts.verdict import Verdict


def pull(name: str, target: JobTarget, settings: Settings) -> tuple[list[Verdict], Path]:
    """Write the report of an experiment on this machine, from the record on a cluster.

    Returns:
        Its verdicts, and the path of its README.md.

    Raises:
        HarnessError: The cluster does not answer, has no MLflow server, or never ran the experiment.
    """
    if target.file is None:
        raise HarnessError(
            "the record of a cluster cannot be found from the address of its job server",
            where=target.option,
            remedy=f"harness report {name} --tracking-uri http://HOST:5000",
        )
    with target.connect() as (_, mlflow):
        if not mlflow:
            raise HarnessError(
                "no MLflow server of the cluster answers",
                where=str(target),
                remedy="Its start commands have to export MLFLOW_TRACKING_URI=http://..., as those of cluster.yaml do. "
                f"For a record in another place: harness report {name} --tracking-uri ...",
            )
        return report(name, replace(settings, tracking_uri=mlflow))
