"""Jobs that were sent to a cluster: follow one, stop one, list them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.api.cluster.job_target import JobTarget
from harness.errors import HarnessError, Interrupted
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.clusters.remote.job_server import Job
    from harness.clusters.remote.sent_jobs import SentJob

POLL_SECONDS = 0.5
RETRY_SECONDS = 3.0
RECONNECT_SECONDS = 1800.0
"""Time for which a lost connection is tried again. Time in which this machine sleeps does not count."""
JOB_EXIT_CODES = (1, 2, 3)
"""Exit codes of a job with which the command that follows it ends as well."""


def follow(sent: SentJob, show: Callable[[str], None], notify: Callable[[str], None]) -> Job:
    """Show what a job prints until it ends. A lost connection is made again.

    Args:
        show: Receives what the job prints.
        notify: Receives messages about the connection.

    Raises:
        HarnessError: The cluster refuses the login, has no such job, or was unreachable for too long.
        Interrupted: The user left. The job runs on.
    """
    from harness.clusters.remote.ssh import ClusterUnreachable

    target, shown, lost_since = JobTarget.of(sent), 0, 0.0

    def show_next(text: str) -> None:
        nonlocal shown, lost_since
        shown += len(text)
        lost_since = 0.0
        show(text)

    try:
        while True:
            try:
                with target.connect() as (jobs, _):
                    lost_since = 0.0
                    # A cluster that was started again has no such job, and raises here.
                    jobs.get_job(sent.job)
                    while True:
                        jobs.follow_output(sent.job, show_next, shown)
                        if (job := jobs.get_job(sent.job)).has_ended:
                            return job
                        # The job's last lines arrive before Ray has noted its end.
                        time.sleep(POLL_SECONDS)
            except ClusterUnreachable as error:
                now = time.monotonic()
                if not lost_since:
                    notify(f"{error.what}. The job continues; connecting again ...")
                lost_since = lost_since or now
                if now - lost_since > RECONNECT_SECONDS:
                    raise
                time.sleep(RETRY_SECONDS)
    except Interrupted as interrupt:
        interrupt.message = (
            f"{sent.job} runs on. `harness attach {sent.experiment}` follows it again, "
            f"`harness attach {sent.experiment} --stop` stops it with checkpoints."
        )
        raise


def stop(sent: SentJob) -> Job:
    """Stop a job, which writes checkpoints first, and return how it ended.

    Raises:
        HarnessError: The cluster does not answer, or has no such job.
    """
    from harness.clusters.remote.job_server import STOP_SECONDS

    with JobTarget.of(sent).connect() as (jobs, _):
        jobs.stop_job(sent.job)
        until = time.monotonic() + STOP_SECONDS + 10
        while not (job := jobs.get_job(sent.job)).has_ended and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        return job


def status(settings: Settings, target: JobTarget | None) -> dict[str, list[Job] | HarnessError]:
    """Return the jobs of a cluster, or of every cluster that a job was sent to from here.

    Returns:
        The jobs by cluster, or the error of a cluster that cannot be reached.
    """
    from harness.clusters.remote.sent_jobs import list_sent_jobs

    targets = [target] if target else list(dict.fromkeys(JobTarget.of(sent) for sent in list_sent_jobs(settings.home)))
    jobs_by_target: dict[str, list[Job] | HarnessError] = {}
    for each in targets:
        try:
            with each.connect() as (jobs, _):
                jobs_by_target[str(each)] = jobs.list_jobs()
        except HarnessError as error:
            jobs_by_target[str(each)] = error
    return jobs_by_target
