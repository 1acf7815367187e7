"""The command that measures what variants cost, thin: bench."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import HOME, REPORTS, DataRoot, Home, Input, Json, Launcher, TrackingUri, err, image_shape, out
from harness.cli.options import Reports as ReportsOption
from harness.errors import HarnessError
from harness.text import shown

if TYPE_CHECKING:
    from harness.specs.cost import Cost

app = typer.Typer()


@app.command()
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Such as resnet18, or torchvision/resnet18. Ratios are to the first.", metavar="[VARIANT]..."
        ),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", help="All variants of this one, as its trials run; its report shows the costs."),
    ] = None,
    given: Input = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda or cuda:1. Default: the trials', else cpu.")
    ] = None,
    batches: Annotated[str, typer.Option("--batch-sizes", help="Images at once: 1,32.")] = "1,32",
    precision: Annotated[
        str, typer.Option("--precision", help="fp32, tf32, bf16 or fp16; several with commas.")
    ] = "fp32",
    channels_last: Annotated[
        bool | None,
        typer.Option("--channels-last/--contiguous", help="Memory format. Default: channels_last on GPUs alone."),
    ] = None,
    compiled: Annotated[bool, typer.Option("--compile", help="With torch.compile.")] = False,
    every: Annotated[
        bool, typer.Option("--every-mode", help="Both memory formats, with and without torch.compile.")
    ] = False,
    threads: Annotated[int | None, typer.Option("--threads", help="On the CPU. Default: all cores.", min=1)] = None,
    repeats: Annotated[int, typer.Option("--repeats", help="Processes for each row; intervals are over these.")] = 5,
    seconds: Annotated[float, typer.Option("--seconds", help="To time each phase of a process.", min=0.01)] = 1.0,
    name: Annotated[
        str | None, typer.Option("--name", help="Also write the tables and raw values to <reports>/<name>/.")
    ] = None,
    launcher: Annotated[
        Launcher, typer.Option("--launcher", help="inline, or ray: a task that reserves the GPU, or a node's cores.")
    ] = Launcher.inline,
    address: Annotated[str | None, typer.Option("--address", help="A Ray cluster; implies --launcher ray.")] = None,
    data_root: DataRoot = None,
    tracking_uri: TrackingUri = None,
    home: Home = HOME,
    reports: ReportsOption = REPORTS,
    as_json: Json = False,
) -> None:
    """Measure what variants cost: latency, throughput, memory, energy, utilisation, of inference and training.

    Each repeat is a process of its own; on a CPU the processes of a row take turns. Times from a device that others
    used meanwhile are marked.

    Example: harness bench resnet18 resnet34 --input 3x64x64 --batch-sizes 16
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from harness.verbs import Settings, load_study
    from harness.verbs import bench as verb
    from harness.verbs.settings import require_name

    options = Settings(home, tracking_uri, "ray" if address else launcher.value, address, reports)
    if name is not None:
        require_name(name)
    if experiment is not None:
        if names or given or channels_last is not None or compiled or every or threads:
            raise HarnessError(
                "an experiment names its variants, images and settings itself",
                where="--experiment",
                remedy="Leave the other options out; --device, --repeats, --seconds and --name go with it.",
            )
        study = load_study(experiment, data_root=data_root)
        place = device or ("cuda" if study.experiment.resources.gpus else "cpu")
        wanted = verb.rows(study.variants, verb.settings_of(study, place))
        experiment = study.experiment.name
    else:
        if not names:
            raise HarnessError(
                "no variant is named", where="bench", remedy="harness bench resnet18, or --experiment NAME."
            )
        channels, *size = image_shape(given or "224")
        formats = {None: "auto", True: "channels_last", False: "contiguous"}
        settings = verb.grid(
            (size[0] or 0, size[1] or 0),
            device or "cpu",
            numbers(batches),
            precision.split(","),
            ["contiguous", "channels_last"] if every else [formats[channels_last]],
            [False, True] if every else [compiled],
            threads,
        )
        wanted = verb.rows(verb.located(names, channels), settings)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        # Its own refreshing is work on the device that is measured.
        refresh_per_second=1,
    ) as bar:
        task = bar.add_task("measuring", total=repeats * len({row.setting for row in wanted}))

        def progress(alike: Sequence[Cost]) -> None:
            bar.update(
                task, advance=1, description=shown(f"batch {alike[0].setting.batch}, {alike[0].setting.precision}")
            )

        done = verb.bench(wanted, repeats, seconds, options, experiment, progress, lambda line: err.print(line))
    if as_json:
        typer.echo(json.dumps([row.model_dump(mode="json") for row in done]))
    else:
        _print(done)
    if name is not None:
        path = verb.write(name, done, options, " ".join(["harness", *sys.argv[1:]]))
        err.print(f"Written: {shown(path)}")


def _print(rows: Sequence[Cost]) -> None:
    from rich.table import Table

    from harness.reporting.bench import HEADINGS, cells, lines, notes, titles

    for title, alike in titles(rows):
        table = Table(title=shown(title), box=None, header_style="bold", title_justify="left", title_style="bold")
        kept = [index for index, _ in enumerate(HEADINGS) if any(cells(line)[index] != "–" for line in lines(alike))]
        for index in kept:
            table.add_column(HEADINGS[index], justify="left" if index < 2 else "right")
        for line in lines(alike):
            content = cells(line)
            table.add_row(*(shown(content[index]) for index in kept))
        out.print(table)
        out.print()
    for note in notes(rows):
        out.print(shown(note), soft_wrap=True)


def numbers(text: str) -> list[int]:
    """``1,32`` as numbers.

    Raises:
        HarnessError: One of them is none.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"-?\d{1,9}", part) for part in parts):
        raise HarnessError(f"'{text[:60]}' are no batch sizes", where="--batch-sizes", remedy="Write 1,32.")
    return [int(part) for part in parts]
