"""Send a run to a cluster."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from harness.api.cluster.job_target import JobTarget
from harness.errors import HarnessError
from harness.experiments.cluster_job import JOB_VARIABLE, SENDER_VARIABLE
from harness.settings import Settings
from harness.version import source_version

if TYPE_CHECKING:
    from harness.clusters.remote.packaging import JobPackage
    from harness.clusters.remote.sent_jobs import SentJob
    from harness.specs import Experiment, Resources


def send(
    name: str,
    target: JobTarget,
    settings: Settings,
    options: Sequence[str],
    overrides: Sequence[str] = (),
    data_root: str | None = None,
    notify: Callable[[str], None] = lambda text: None,
) -> SentJob:
    """Send ``harness run`` of an experiment to a cluster, and return once the cluster has accepted it.

    Args:
        options: Words of ``harness run`` on the cluster, ``--set`` included, without the hosts to wait for.
        overrides: The values of ``--set``, with which the experiment is read here.
        data_root: The place of the data on the cluster. None of it is sent.
        notify: Receives messages for the user.

    Raises:
        HarnessError: The experiment, the cluster's file or the head is not usable. Nothing was sent then.
    """
    from harness.clusters.remote.packaging import build_package

    _require_no_password(settings, data_root)
    experiment, remote_name, needed = _read_experiment(name, overrides, settings.no_code)
    host_options = _host_options(target, settings, experiment.resources)
    data = Path(data_root) if data_root is not None and "://" not in data_root else None
    package = build_package(Path(), [settings.home, settings.reports, data], needed)
    _require_code(experiment, package)
    words = ["python", "-m", "harness", "run", remote_name, "--launcher", "ray", "--address", "auto"]
    words += [*host_options, *options]
    notify(f"Connecting to {target} ...")
    job = _submit(target, settings, experiment.name, shlex.join(words), package)
    size = sum(package.files.values()) / 2**20
    notify(f"{job.job} is sent: {len(package.files)} files, {size:.1f} MiB. The job does not need this machine.")
    return job


def _require_no_password(settings: Settings, data_root: str | None) -> None:
    """Check that no address holds a password, because Ray's dashboard shows the command of every job.

    Raises:
        HarnessError: One does.
    """
    from harness.tracking.mlflow_record.store.addresses import redact_passwords

    for option, address, replacement in (
        ("--tracking-uri", settings.tracking_uri, "MLFLOW_TRACKING_URI"),
        ("--storage", settings.storage, "DEPTHBENCH_STORAGE"),
        ("--data-root", data_root, "the credentials of its library"),
    ):
        if address is not None and redact_passwords(str(address)) != str(address):
            raise HarnessError(
                "the address contains a password, and Ray's dashboard shows the command of every job",
                where=option,
                remedy=f"Export {replacement} before `ray start` on the cluster, and leave the option out here.",
            )


def _host_options(target: JobTarget, settings: Settings, resources: Resources) -> list[str]:
    """Return the words on the hosts to wait for, with the defaults of the cluster's file.

    Raises:
        HarnessError: No host of the file can run a trial.
    """
    from harness.clusters.capacity import read_capacity

    hosts, at_once = settings.hosts, settings.at_once
    if target.file is not None:
        cluster = read_capacity(target.file)
        cluster.require_room_for(resources)
        hosts = hosts or cluster.min_nodes
        if cluster.can_grow:
            at_once = at_once or cluster.count_awaited_trials(resources)
    wait = f"{settings.wait:.0f}s" if settings.wait > 0 else ""
    values = {"--hosts": hosts, "--wait": wait, "--at-once": at_once}
    return [str(word) for option, value in values.items() if value for word in (option, value)]


def _submit(target: JobTarget, settings: Settings, experiment: str, command: str, package: JobPackage) -> SentJob:
    """Submit a job, and note it in the home before, so that a lost connection does not lose it.

    Raises:
        HarnessError: The cluster refuses the job. Then it is not noted.
        ClusterUnreachable: The connection was lost. The job may have arrived all the same.
    """
    from harness.clusters.remote.sent_jobs import SentJob, delete_sent_job, save_sent_job
    from harness.clusters.remote.ssh import ClusterUnreachable

    ships_source = "harness/__init__.py" in package.files
    with target.connect(ships_source=ships_source) as jobs:
        sent = SentJob(
            job=f"{experiment}-{uuid4().hex[:8]}",
            experiment=experiment,
            cluster=str(target.file.absolute()) if target.file else "",
            address=target.address,
            command=command,
            at=int(time.time() * 1000),
        )
        environment = {JOB_VARIABLE: sent.job} | ({} if ships_source else {SENDER_VARIABLE: source_version()})
        save_sent_job(settings.home, sent)
        try:
            jobs.submit_job(sent.job, sent.command, package, environment, experiment)
        except ClusterUnreachable:
            raise
        except HarnessError:
            delete_sent_job(settings.home, sent)
            raise
    return sent


def _require_code(experiment: Experiment, package: JobPackage) -> None:
    """Check that the code of the experiment's networks is sent, where it lies in the working directory.

    Raises:
        HarnessError: A file of it would not be sent.
    """
    from harness.specs import Catalogue
    from harness.specs.network.external import ExternalNetwork
    from harness.specs.network.factory_source import find_factory_source

    catalogue, here = Catalogue.load(), Path.cwd()
    for selection in experiment.variants:
        factory, _, _ = catalogue.find_code(selection)
        if not factory:
            continue
        try:
            files = find_factory_source(ExternalNetwork(kind="python", factory=factory).module).files
        except (HarnessError, ValueError):
            # The module may be installed on the cluster alone, which says so if it is not.
            continue
        for file in files:
            if file.is_relative_to(here) and file.relative_to(here).as_posix() not in package.files:
                raise HarnessError(
                    f"the network {factory} needs this file, which would not be sent: .gitignore, .rayignore, "
                    "--data-root or its directory (data, venv, hidden) excludes it",
                    where=str(file.relative_to(here)),
                    remedy="Move it to another directory, or remove it from the excluded files.",
                )


def _read_experiment(name: str, overrides: Sequence[str], no_code: bool) -> tuple[Experiment, str, Path | None]:
    """Read an experiment.

    Returns:
        The experiment, its name on the cluster, and its file if that has to be sent.

    Raises:
        HarnessError: The experiment is not valid, or its file lies outside the directory that is sent.
    """
    from harness.specs import Catalogue, find_experiment, load_experiment, require_no_code

    path = find_experiment(name)
    experiment, document = load_experiment(path, overrides)
    if no_code:
        require_no_code(experiment, document, Catalogue.load())
    if path.absolute().is_relative_to(Path.cwd()):
        return experiment, path.absolute().relative_to(Path.cwd()).as_posix(), path
    if Path(name).suffix in (".yaml", ".yml") and path == Path(name):
        raise HarnessError(
            "the file lies outside the working directory, which is all that is sent",
            where=str(path),
            remedy="Change to its directory, or copy it to experiments/.",
        )
    return experiment, name, None
