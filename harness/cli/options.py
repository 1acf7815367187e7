"""Options that have one name everywhere, and where the commands print."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.errors import HarnessError

LONGEST = 366 * 24 * 3600
WIDTH = None if sys.stdout.isatty() else 140
"""Tables in a pipe or a log are not cut to the 80 columns that rich assumes there."""
out = Console(highlight=False, width=WIDTH)
err = Console(stderr=True, highlight=False, width=WIDTH)


class Launcher(StrEnum):
    """Where trials run."""

    ray = "ray"
    inline = "inline"


Home = Annotated[
    Path, typer.Option("--home", envvar="DEPTHBENCH_HOME", help="Store, artifacts and checkpoints.", show_default=True)
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        help="MLflow store. Default: MLFLOW_TRACKING_URI, else SQLite in --home. 'none': no MLflow.",
    ),
]
Reports = Annotated[Path, typer.Option("--reports", help="Where reports go.")]
Experiment = Annotated[
    str, typer.Argument(help="A YAML file, or the name of one in experiments/.", metavar="EXPERIMENT")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a field: recipe.lr=0.1, seeds=[1,2,3]. May be repeated.", metavar="KEY=VALUE"),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        help="How many: 12 takes the experiment's own, then the integers after them. Or which: 10,11 or 10-17; "
        "one alone is `10,`.",
        metavar="N|LIST",
    ),
]
DataRoot = Annotated[
    str | None,
    typer.Option("--data-root", help="Where the data set is: a directory, or a file or URL of `harness data pack`."),
]
Download = Annotated[bool, typer.Option("--download", help="Fetch the data set if it is not at hand.")]
Price = Annotated[
    float | None,
    typer.Option("--price", help="Of a GPU-hour: what the rest costs is shown before it starts.", min=0),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LauncherOption = Annotated[Launcher, typer.Option("--launcher", help="ray (Ray Tune), or inline (no Ray).")]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        envvar="DEPTHBENCH_STORAGE",
        help="Where checkpoints go: a directory, or a URL such as s3://bucket/prefix. Default: in --home.",
        metavar="PLACE",
    ),
]
Cluster = Annotated[
    Path | None,
    typer.Option("--cluster", help="The file of a cluster that `ray up` made: cluster.yaml.", metavar="FILE"),
]
Name = Annotated[str, typer.Argument(help="Such as resnet18, cifar-plain56, cifar-resnet1202, wrn-28-10.")]
Input = Annotated[
    str | None,
    typer.Option("--input", help="Images: 3x224x224, 224x224 or 224. Default: the family's.", metavar="CxHxW"),
]
VariantOverrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Change a field: widths=[8,16,32], shortcut=none. May be repeated.", metavar="KEY=VALUE"
    ),
]
HOME = Path(".depthbench")
REPORTS = Path("reports")


def image_shape(text: str) -> tuple[int | None, int, int]:
    """(channels, height, width) of ``3x224x224``, ``224x224`` or ``224``; channels are None where they are not given.

    Raises:
        HarnessError: It is none of these.
    """
    match = re.fullmatch(r"(?:(?:(\d{1,6})x)?(\d{1,6})x)?(\d{1,6})", text)
    sides = [int(part) for part in match.groups() if part] if match else []
    if not all(sides) or not sides:
        raise HarnessError(f"'{text[:60]}' is no shape of images", where="--input", remedy="Write 3x224x224 or 224.")
    return (sides[0] if len(sides) == 3 else None), sides[-2 if len(sides) > 1 else -1], sides[-1]


def duration(text: str, option: str = "--time-limit") -> float:
    """Seconds of ``90``, ``90s``, ``30m``, ``1h30m`` or ``1:30:00``.

    Raises:
        HarnessError: It is none of these.
    """
    clock = re.fullmatch(r"(?:(\d+):)?(\d+):(\d+)", text)
    words = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    match = clock or words
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = 3600.0 * hours + 60 * minutes + seconds
    if not 0 < total <= LONGEST:
        raise HarnessError(f"'{text}' is no length of time", where=option, remedy="Write 90s, 30m or 1h30m.")
    return total
