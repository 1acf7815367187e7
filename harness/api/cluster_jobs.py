"""Experiments on a cluster from a machine that is not part of it: send, follow, stop, look, bring the report home."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from harness.api.reports import report
from harness.api.settings import SENDER, SENT
from harness.errors import HarnessError, Interrupted
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.clusters.remote.job_server import Job, Jobs
    from harness.clusters.remote.sent_jobs import SentJob
    from harness.reporting.verdicts.verdict import Verdict
    from harness.specs import Experiment

Say = Callable[[str], None]
RETRY_SECONDS = 3.0
PATIENCE = 1800.0
"""Seconds for which a lost connection is tried again; time asleep does not count."""
CODES = (1, 2, 3)
"""Exit codes of a job that are this command's as well."""


@dataclass(frozen=True)
class JobTarget:
    """Where jobs are sent: the cluster of a file, or the address of a job server (``http://HOST:8265``)."""

    file: Path | None = None
    address: str = ""

    @classmethod
    def of(cls, sent: SentJob) -> JobTarget:
        """Where a job was sent."""
        return cls(Path(sent.cluster)) if sent.cluster else cls(address=sent.address)

    def __str__(self) -> str:
        return str(self.file or self.address)

    @property
    def option(self) -> str:
        """It as an option of the command line."""
        return f"--cluster {shlex.quote(str(self.file))}" if self.file else f"--address {self.address}"

    @contextmanager
    def reach(self, shipped: bool | None = None) -> Iterator[tuple[Jobs, str]]:
        """Its job server, and the address of its MLflow server (empty for none that can be reached).

        Args:
            shipped: Before something is sent: whether it brings its own Depthbench. Then both sides have to fit.

        Raises:
            HarnessError: It cannot be reached, lets nobody in, or does not fit this machine.
        """
        from harness.clusters.remote.compatibility import require_compatible
        from harness.clusters.remote.head import Head
        from harness.clusters.remote.job_server import Jobs
        from harness.clusters.remote.probe import token

        with ExitStack() as stack:
            # Ray's launcher and its job client tell each step, whatever the level of their loggers.
            stack.callback(logging.disable, logging.root.manager.disable)
            logging.disable(logging.INFO)
            if self.file is None:
                yield Jobs(self.address, token()), ""
                return
            head = Head(self.file)
            theirs = head.describe()
            if shipped is not None:
                require_compatible(theirs, self.file, shipped)
            tunnel = stack.enter_context(head.tunnel(theirs["store"]))
            yield Jobs(tunnel.jobs, theirs["token"]), tunnel.mlflow


def send(
    name: str,
    place: JobTarget,
    settings: Settings,
    options: Sequence[str],
    overrides: Sequence[str] = (),
    data_root: str | None = None,
    say: Say = lambda text: None,
) -> SentJob:
    """Send ``harness run`` of an experiment to a cluster; returns once the cluster has it.

    Args:
        options: Of ``harness run`` there, ``overrides`` and hosts to wait for left out.
        data_root: Where the data is on the cluster; nothing of it is shipped.

    Raises:
        HarnessError: The experiment, the file or the head is not as it has to be; then nothing was sent.
    """
    from harness.clusters.capacity import capacity
    from harness.clusters.remote.packaging import build_package
    from harness.clusters.remote.sent_jobs import SentJob, delete_sent_job, save_sent_job
    from harness.clusters.remote.ssh import ClusterUnreachable
    from harness.tracking.mlflow_record.client import without_password
    from harness.version import source_version

    for option, address, variable in (
        ("--tracking-uri", settings.tracking_uri, "MLFLOW_TRACKING_URI"),
        ("--storage", settings.storage, "DEPTHBENCH_STORAGE"),
        ("--data-root", data_root, "the credentials of its library"),
    ):
        if address is not None and without_password(str(address)) != str(address):
            raise HarnessError(
                "a password stands in the address, and Ray's dashboard shows what a job was started with",
                where=option,
                remedy=f"Export {variable} before `ray start` on the cluster, and leave it out here.",
            )
    experiment, there, needed = _read(name, overrides)
    hosts, at_once = settings.hosts, settings.at_once
    if place.file is not None:
        promised = capacity(place.file)
        promised.require(experiment.resources)
        hosts = hosts or promised.least
        if promised.grows:
            at_once = at_once or promised.worth_waiting(experiment.resources)
    given = {"--hosts": hosts, "--wait": f"{settings.wait:.0f}s" * (settings.wait > 0), "--at-once": at_once}
    waiting = [str(word) for option, value in given.items() if value for word in (option, value)]
    data = Path(data_root) if data_root is not None and "://" not in data_root else None
    parcel = build_package(Path(), [settings.home, settings.reports, data], needed)
    words = ["python", "-m", "harness", "run", there, "--launcher", "ray", "--address", "auto", *waiting, *options]
    words += [word for each in overrides for word in ("--set", each)]
    say(f"Connecting to {place} ...")
    shipped = "harness/__init__.py" in parcel.files
    sender = {} if shipped else {SENDER: source_version()}
    with place.reach(shipped=shipped) as (jobs, _):
        sent = SentJob(
            job=f"{experiment.name}-{uuid4().hex[:8]}",
            experiment=experiment.name,
            cluster=str(place.file.absolute()) if place.file else "",
            address=place.address,
            command=shlex.join(words),
            at=int(time.time() * 1000),
        )
        save_sent_job(settings.home, sent)
        try:
            jobs.submit(sent.job, sent.command, parcel, {SENT: sent.job} | sender, experiment.name)
        except ClusterUnreachable:
            # It may have arrived all the same.
            raise
        except HarnessError:
            delete_sent_job(settings.home, sent)
            raise
    size = sum(parcel.files.values()) / 2**20
    say(f"{sent.job} is sent: {len(parcel.files)} files, {size:.1f} MiB. It runs on without this machine.")
    return sent


def _read(name: str, overrides: Sequence[str]) -> tuple[Experiment, str, Path | None]:
    """An experiment, how it is called on the cluster, and its file where that is to travel.

    Raises:
        HarnessError: It is not sound, or lies where nothing is shipped from.
    """
    from harness.specs import find_experiment, load_experiment

    path = find_experiment(name)
    experiment, _ = load_experiment(path, overrides)
    if path.absolute().is_relative_to(Path.cwd()):
        return experiment, path.absolute().relative_to(Path.cwd()).as_posix(), path
    if Path(name).suffix in (".yaml", ".yml") and path == Path(name):
        raise HarnessError(
            "it lies outside of the working directory, which is what is shipped",
            where=str(path),
            remedy="Change to its directory, or copy it to experiments/.",
        )
    return experiment, name, None


def follow(sent: SentJob, show: Callable[[str], None], say: Say) -> Job:
    """Show what a job prints until it ends; a connection that is lost is made again.

    Raises:
        HarnessError: The cluster lets nobody in any more, knows no such job, or has been away for too long.
        Interrupted: The job runs on.
    """
    from harness.clusters.remote.ssh import ClusterUnreachable

    place, seen, lost = JobTarget.of(sent), 0, 0.0

    def new(text: str) -> None:
        nonlocal seen, lost
        seen += len(text)
        lost = 0.0
        show(text)

    try:
        while True:
            try:
                with place.reach() as (jobs, _):
                    lost = 0.0
                    # A cluster that was started anew knows nothing of it, and says so here.
                    jobs.look(sent.job)
                    while True:
                        jobs.follow(sent.job, new, seen)
                        if (job := jobs.look(sent.job)).over:
                            return job
                        # Its last lines come before Ray has noted its end.
                        time.sleep(0.5)
            except ClusterUnreachable as error:
                now = time.monotonic()
                if not lost:
                    say(f"{error.what}. The job runs on; trying again ...")
                lost = lost or now
                if now - lost > PATIENCE:
                    raise
                time.sleep(RETRY_SECONDS)
    except Interrupted as interrupt:
        interrupt.kept = (
            f"Left. {sent.job} runs on. `harness attach {sent.experiment}` follows it again, "
            f"`harness attach {sent.experiment} --stop` ends it with checkpoints."
        )
        raise


def stop(sent: SentJob) -> Job:
    """Ask a job to write checkpoints and end; how it ended.

    Raises:
        HarnessError: The cluster does not answer, or knows no such job.
    """
    from harness.clusters.remote.job_server import STOP_SECONDS

    with JobTarget.of(sent).reach() as (jobs, _):
        jobs.stop(sent.job)
        until = time.monotonic() + STOP_SECONDS + 10
        while not (job := jobs.look(sent.job)).over and time.monotonic() < until:
            time.sleep(0.5)
        return job


def status(settings: Settings, place: JobTarget | None) -> dict[str, list[Job] | HarnessError]:
    """The jobs of a cluster, or of all to which something was sent from here, by place; or why it does not say."""
    from harness.clusters.remote.sent_jobs import sent_jobs

    places = [place] if place else list(dict.fromkeys(JobTarget.of(sent) for sent in sent_jobs(settings.home)))
    found: dict[str, list[Job] | HarnessError] = {}
    for each in places:
        try:
            with each.reach() as (jobs, _):
                found[str(each)] = jobs.all()
        except HarnessError as error:
            found[str(each)] = error
    return found


def pull(name: str, place: JobTarget, settings: Settings) -> tuple[list[Verdict], Path]:
    """Write the report of an experiment here, from the record on a cluster.

    Raises:
        HarnessError: The cluster does not answer, has no MLflow server, or never ran it.
    """
    if place.file is None:
        raise HarnessError(
            "an address of a job server does not tell where its record is",
            where=place.option,
            remedy=f"harness report {name} --tracking-uri http://HOST:5000",
        )
    with place.reach() as (_, mlflow):
        if not mlflow:
            raise HarnessError(
                "no MLflow server of the cluster answers",
                where=str(place),
                remedy="Its start commands have to export MLFLOW_TRACKING_URI=http://..., as those of cluster.yaml do. "
                f"Another store: harness report {name} --tracking-uri ...",
            )
        return report(name, replace(settings, tracking_uri=mlflow))
