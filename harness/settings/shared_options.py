"""The settings of an experiment: where it runs, and where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.errors import HarnessError
from harness.settings.duration import parse_duration
from harness.settings.option import declare_directory, declare_option, declare_place, options_of


@dataclass(frozen=True)
class Settings:
    """Where an experiment runs, and where its data, record, checkpoints and reports are.

    Attributes:
        home: The directory of the store, the artifacts and the checkpoints.
        tracking_uri: The MLflow store. None: the value of MLFLOW_TRACKING_URI, else SQLite in the home. ``none``: no
            MLflow.
        launcher: ``ray`` or ``inline``.
        address: The address of a Ray cluster; None starts a local one.
        reports: The directory that holds one directory of reports for each experiment.
        storage: The directory or URL for checkpoints; None: in the home.
        time_limit: Seconds after which no further trial starts, and running trials write a checkpoint and stop.
        budget: Seconds within which the stages of an adaptive experiment have to end; None: no limit.
        hosts: Number of cluster hosts to wait for; 0: use the hosts that are up.
        wait: Longest time in seconds to wait for the hosts of a cluster; 0: do not wait.
        at_once: Largest number of trials at once, also on hosts that an autoscaler starts; 0: as many as the hosts
            have room for.
        accelerator: The kind of GPU to measure costs on, as Ray names it, where a cluster has several kinds.
        data_root: The place of the data set; None: the experiment's own, else the user's cache.
        no_code: Whether an experiment or a variant that names Python code is refused before that code is imported.

    Raises:
        HarnessError: There is no such launcher.
    """

    home: Path = declare_directory(  # noqa: RUF009 - a Path cannot change
        Path(".depthbench"),
        "--home",
        "The directory of the store, the artifacts and the checkpoints.",
        environment="DEPTHBENCH_HOME",
    )
    tracking_uri: str | None = declare_option(
        None,
        "--tracking-uri",
        "The MLflow store. 'none' keeps the record without MLflow. Default: MLFLOW_TRACKING_URI, else SQLite in "
        "--home.",
        is_sent=True,
    )
    launcher: str = declare_option(
        "ray",
        "--launcher",
        "ray: as tasks of Ray. inline: on this machine, without Ray.",
        choices=("ray", "inline"),
        parse=str,
    )
    address: str | None = declare_option(
        None,
        "--address",
        "A Ray cluster that this machine is part of: auto or HOST:6379. `harness run` also takes the job server of a "
        "cluster: http://HOST:8265. Default: this machine.",
    )
    reports: Path = declare_directory(  # noqa: RUF009 - a Path cannot change
        Path("reports"), "--reports", "The directory of the reports."
    )
    storage: str | None = declare_place(
        None,
        "--storage",
        "Where checkpoints are written: a directory, or a URL such as s3://bucket/prefix. Default: in --home.",
        environment="DEPTHBENCH_STORAGE",
        is_sent=True,
    )
    time_limit: float | None = declare_option(
        None,
        "--time-limit",
        "Stop after this time and write checkpoints: 90s, 30m, 1h30m. The exit code is then 3.",
        metavar="DURATION",
        typed_as=str,
        parse=partial(parse_duration, option="--time-limit"),
        is_sent=True,
    )
    budget: float | None = declare_option(
        None,
        "--budget",
        "The time that the stages of an adaptive experiment may take: 2h, 90m. A stage starts only if it would end in "
        "time. The exit code is 3 if a further stage is needed. --time-limit also stops a stage in its middle.",
        metavar="DURATION",
        typed_as=str,
        parse=partial(parse_duration, option="--budget"),
        is_sent=True,
    )
    hosts: int = declare_option(
        0,
        "--hosts",
        "Wait for this number of cluster hosts, the head included. 0: the file's smallest number with --cluster, else "
        "no wait.",
        minimum=0,
    )
    wait: float = declare_option(
        0.0,
        "--wait",
        "How long to wait for the hosts of a cluster, such as 20m. After that, the command names the missing hosts. "
        "`harness run` waits 20m by default with --cluster or --hosts.",
        metavar="DURATION",
        typed_as=str,
        parse=partial(parse_duration, option="--wait"),
    )
    at_once: int = declare_option(
        0,
        "--at-once",
        "The largest number of trials at once, where an autoscaler starts hosts for them. 0: the number that the "
        "cluster has room for.",
        minimum=0,
    )
    accelerator: str | None = declare_option(
        None,
        "--accelerator",
        "The kind of GPU, for a cluster that has several kinds. Default: the experiment's.",
    )
    data_root: str | None = declare_place(
        None,
        "--data-root",
        "Where the data set is: a directory, or a file or URL that `harness data pack` wrote.",
        is_sent=True,
    )
    no_code: bool = declare_option(
        False,
        "--no-code",
        "Refuse an experiment or a variant that names Python code of its own (kind: python), before it is imported.",
        environment="DEPTHBENCH_NO_CODE",
    )

    def __post_init__(self) -> None:
        launchers = options_of(Settings)["launcher"].choices
        if self.launcher not in launchers:
            raise HarnessError(
                f"there is no launcher '{self.launcher}'",
                where="--launcher",
                remedy=f"Use {' or '.join(launchers)}.",
            )

    @property
    def one_machine(self) -> bool:
        """Whether trials run on this machine alone."""
        return self.address is None and not self.at_once
