"""The options that have one name everywhere, each declared once.

Every field of :class:`Settings` and :class:`RunOptions` carries its :class:`Option`. The command line, the functions of
``import harness`` and the command that is sent to a cluster are derived from these declarations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import HarnessError, suggest_nearest

LONGEST_SECONDS = 366 * 24 * 3600
"""The longest duration that is accepted: one year."""


@dataclass(frozen=True)
class Option:
    """How a user gives the value of a field on the command line.

    Attributes:
        flag: The option's name, such as ``--home``.
        help: What ``--help`` prints about it.
        metavar: The placeholder for the value in ``--help``; None: the name of its type.
        environment: The environment variable that holds the value where the flag is absent; None: no variable.
        choices: The allowed values; empty: all values of the field's type.
        minimum: The smallest allowed number; None: any number.
        typed_as: The type of the value as it is typed, where it is not the field's own type.
        parse: Converts a value as it is typed into the field's type; None: it needs no conversion.
        is_sent: Whether ``harness run`` passes a typed value on to the cluster that it sends a job to.
    """

    flag: str
    help: str
    metavar: str | None = None
    environment: str | None = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    typed_as: Any = None
    parse: Callable[[Any], Any] | None = None
    is_sent: bool = False


def declare_option(default: Any, flag: str, help: str, **details: Any) -> Any:
    """Return a dataclass field with its default and its :class:`Option`."""
    return field(default=default, metadata={"option": Option(flag, help, **details)})


def parse_duration(value: str | float, option: str) -> float:
    """Return the seconds of ``90``, ``90s``, ``30m``, ``1h30m``, ``1:30:00``, or of a number of seconds.

    Args:
        value: The text or the number.
        option: The option that an error names.

    Raises:
        HarnessError: The value is not a duration, is zero, or is longer than a year.
    """
    if isinstance(value, str):
        clock = re.fullmatch(r"(?:(\d+):)?(\d+):(\d+)", value)
        units = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", value)
        match = clock or units
        hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
        total = 3600.0 * hours + 60 * minutes + seconds
    else:
        total = float(value)
    if not 0 < total <= LONGEST_SECONDS:
        raise HarnessError(
            f"'{value}' is not a duration between one second and one year",
            where=option,
            remedy="Write 90s, 30m or 1h30m.",
        )
    return total


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
        hosts: Number of cluster hosts to wait for; 0: use the hosts that are up.
        wait: Longest time in seconds to wait for the hosts of a cluster; 0: do not wait.
        at_once: Largest number of trials at once, also on hosts that an autoscaler starts; 0: as many as the hosts
            have room for.
        accelerator: The kind of GPU to measure costs on, as Ray names it, where a cluster has several kinds.
        data_root: The place of the data set; None: the experiment's own, else the user's cache.

    Raises:
        HarnessError: There is no such launcher.
    """

    home: Path = declare_option(
        Path(".depthbench"),
        "--home",
        "The directory of the store, the artifacts and the checkpoints.",
        environment="DEPTHBENCH_HOME",
        parse=Path,
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
    reports: Path = declare_option(Path("reports"), "--reports", "The directory of the reports.", parse=Path)
    storage: str | None = declare_option(
        None,
        "--storage",
        "Where checkpoints are written: a directory, or a URL such as s3://bucket/prefix. Default: in --home.",
        metavar="PLACE",
        environment="DEPTHBENCH_STORAGE",
        parse=str,
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
    data_root: str | None = declare_option(
        None,
        "--data-root",
        "Where the data set is: a directory, or a file or URL that `harness data pack` wrote.",
        metavar="PLACE",
        parse=str,
        is_sent=True,
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


@dataclass(frozen=True)
class RunOptions:
    """Which trials of an experiment a run takes, and what it changes of the experiment's file.

    Attributes:
        overrides: Assignments of the form ``key=value`` that change fields of the experiment.
        seeds: Seeds in place of the experiment's: a number of seeds, or a list of them, as text.
        download: Whether the data set may be downloaded.
        force: Whether trials that are recorded are trained again.
        price: The price of a GPU-hour, in the user's currency; None: unknown.
    """

    overrides: tuple[str, ...] = declare_option(
        (),
        "--set",
        "Change a field of the experiment: recipe.lr=0.1, seeds=[1,2,3]. Repeat it for more fields.",
        metavar="KEY=VALUE",
        typed_as=list[str],
        parse=tuple,
        is_sent=True,
    )
    seeds: str | None = declare_option(
        None,
        "--seeds",
        "A number of seeds: 12 takes the experiment's own seeds, then the next integers. Or a list: 10,11 or 10-17. "
        "Write `10,` for the one seed 10.",
        metavar="N|LIST",
        is_sent=True,
    )
    download: bool = declare_option(False, "--download", "Download the data set if it is not on this machine.")
    force: bool = declare_option(
        False, "--force", "Train recorded trials again. Their earlier results are kept.", is_sent=True
    )
    price: float | None = declare_option(
        None,
        "--price",
        "The price of a GPU-hour. The command prints what the rest of the experiment costs.",
        minimum=0,
        is_sent=True,
    )


Options = TypeVar("Options", Settings, RunOptions)


def options_of(kind: type) -> dict[str, Option]:
    """Return the option of each field of :class:`Settings` or :class:`RunOptions`, by the field's name."""
    return {each.name: each.metadata["option"] for each in fields(kind)}


def parse_options(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """Return settings or run options from values as a user gives them.

    Args:
        kind: :class:`Settings` or :class:`RunOptions`.
        values: Values by field name. Paths and durations may be text; None stands for the default.

    Raises:
        HarnessError: There is no such field, or a value is wrong.
    """
    options = options_of(kind)
    for name in values:
        if name not in options:
            raise HarnessError(f"there is no setting '{name}'", where=name, remedy=suggest_nearest(name, options))
    given = {name: value for name, value in values.items() if value is not None}
    return kind(**{name: (options[name].parse or (lambda same: same))(value) for name, value in given.items()})


def words_to_send(typed: Mapping[str, Any]) -> list[str]:
    """Return the options of a run that a cluster receives, as words of a command line.

    Args:
        typed: The values that the user typed, by field name, before they were parsed.
    """
    words = []
    for name, option in {**options_of(RunOptions), **options_of(Settings)}.items():
        if not option.is_sent or name not in typed:
            continue
        values = typed[name] if isinstance(typed[name], list | tuple) else [typed[name]]
        for value in values:
            words += [option.flag] if value is True else [option.flag, str(value)]
    return words
