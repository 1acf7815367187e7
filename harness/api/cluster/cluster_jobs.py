"""Jobs that were sent to a cluster: follow one, stop one, list them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from harness.api.cluster.job_target import JobTarget
from harness.errors import HarnessError, Interrupted
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.clusters.remote.job_server import Job, JobClient
    from harness.clusters.remote.sent_jobs import SentJob

POLL_SECONDS = 0.5
RETRY_SECONDS = 3.0
RECONNECT_SECONDS = 1800.0
"""Time for which a lost connection is tried again. Time in which this machine sleeps does not count."""
CHECK_SECONDS = 20.0
"""How long a job may be silent before ssh looks whether Ray still runs on the head."""
LEAVE_SECONDS = 3.0
"""How long a user who leaves waits for the answer of the job server."""
JOB_EXIT_CODES = (1, 2, 3)
"""Exit codes of a job with which the command that follows it ends as well."""


def follow(sent: SentJob, show: Callable[[str], None], notify: Callable[[str], None]) -> Job:
    """Show what a job prints until it ends. A lost connection is made again.

    Args:
        show: Receives what the job prints.
        notify: Receives messages about the connection.

    Raises:
        HarnessError: The cluster refuses the login, has no such job, or was unreachable for too long.
        RayStopped: The head answers, but Ray has stopped there, and the job with it.
        Interrupted: The user left. Its message says whether the job runs on.
    """
    from harness.clusters.remote.ssh import ClusterUnreachable, RayStopped

    target, shown, lost_since, has_stopped = JobTarget.of(sent), 0, 0.0, False

    def show_next(text: str) -> None:
        nonlocal shown
        shown += len(text)
        show(text)

    while True:
        try:
            with target.connect() as jobs:
                # A cluster that was started again has no such job, and raises here.
                job = jobs.get_job(sent.job)
                lost_since, has_stopped = 0.0, False
                try:
                    return _follow_connected(job, jobs, target, show_next, lambda: shown)
                except Interrupted as interrupt:
                    interrupt.message = _describe_leaving(sent, target, jobs)
                    raise
        except RayStopped:
            # A second look tells a stopped Ray from one that was too busy to answer.
            if has_stopped:
                raise
            has_stopped = True
        except ClusterUnreachable as error:
            now = time.monotonic()
            if not lost_since:
                notify(f"{error.what}. If the head is up, the job continues; connecting again ...")
            lost_since, has_stopped = lost_since or now, False
            if now - lost_since > RECONNECT_SECONDS:
                raise
        try:
            time.sleep(RETRY_SECONDS)
        except Interrupted as interrupt:
            interrupt.message = _unknown_state(sent)
            raise


def _follow_connected(
    job: Job, jobs: JobClient, target: JobTarget, show: Callable[[str], None], count_shown: Callable[[], int]
) -> Job:
    """Show what a job prints until it ends, and return it; raise if the connection is lost or Ray stops."""
    checked = time.monotonic()
    while True:
        jobs.follow_output(job.id, show, count_shown())
        if (job := jobs.get_job(job.id)).has_ended:
            return job
        if time.monotonic() - checked > CHECK_SECONDS:
            # Nobody notes the end of a job whose Ray has stopped.
            target.require_ray()
            checked = time.monotonic()
        # The job's last lines arrive before Ray has noted its end.
        time.sleep(POLL_SECONDS)


def _describe_leaving(sent: SentJob, target: JobTarget, jobs: JobClient) -> str:
    """Return whether a job goes on after the user has left, and what to do then."""
    from harness.clusters.remote.ssh import ClusterUnreachable, RayStopped

    try:
        with suppress(ClusterUnreachable):
            # If the job server does not answer, the head says why.
            jobs.require_healthy(LEAVE_SECONDS)
        target.require_ray()
    except RayStopped as error:
        return f"{error.what}, so {sent.job} has ended. {error.remedy}"
    except HarnessError:
        return _unknown_state(sent)
    return (
        f"{sent.job} runs on. `harness attach {sent.experiment}` follows it again, "
        f"`harness attach {sent.experiment} --stop` stops it with checkpoints."
    )


def _unknown_state(sent: SentJob) -> str:
    """Return what the user should know who leaves while the cluster does not answer."""
    return (
        f"The cluster does not answer, so it is not known whether {sent.job} runs on. "
        f"`harness attach {sent.experiment}` tries again."
    )


def stop(sent: SentJob) -> Job:
    """Stop a job, which writes checkpoints first, and return how it ended.

    Raises:
        HarnessError: The cluster does not answer, or has no such job.
    """
    from harness.clusters.remote.job_server import STOP_SECONDS

    with JobTarget.of(sent).connect() as jobs:
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
            with each.connect() as jobs:
                jobs_by_target[str(each)] = jobs.list_jobs()
        except HarnessError as error:
            jobs_by_target[str(each)] = error
    return jobs_by_target
