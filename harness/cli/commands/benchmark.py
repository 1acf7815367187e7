"""The command that measures what variants cost, thin: bench."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import HOME, REPORTS, DataRoot, Home, Input, Json, Launcher, TrackingUri, duration, err, image_shape, out
from harness.cli.options import Reports as ReportsOption
from harness.errors import HarnessError, Interrupted
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.api import Settings
    from harness.specs.measured_cost import MeasuredCost

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
    batches: Annotated[str | None, typer.Option("--batch-sizes", help="Images at once. Default: 1,32.")] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="fp32 (default), tf32, bf16 or fp16; several with commas.")
    ] = None,
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
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait", help="With --address: how long a host that has the device may take to come, such as 20m."
        ),
    ] = None,
    accelerator: Annotated[
        str | None,
        typer.Option("--accelerator", help="Kind of GPU, of a cluster with several. Default: the experiment's."),
    ] = None,
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
    from harness.api import Settings, load_resolved_experiment
    from harness.api import benchmark as verb
    from harness.api.settings import require_name

    if wait is not None and address is None:
        raise HarnessError("it is for the hosts of a cluster", where="--wait", remedy="Give --address too.")
    options = Settings(
        home,
        tracking_uri,
        "ray" if address else launcher.value,
        address,
        reports,
        wait=0.0 if wait is None else duration(wait, "--wait"),
        accelerator=accelerator,
    )
    if name is not None:
        require_name(name)
    if repeats < 1:
        raise HarnessError(f"{repeats} repeats measure nothing", where="--repeats", remedy="Use 5 or more.")
    if experiment is not None:
        if any((names, given, batches, precision, channels_last is not None, compiled, every, threads)):
            raise HarnessError(
                "an experiment names its variants, images and settings itself",
                where="--experiment",
                remedy="Leave the other options out; --device, --repeats, --seconds and --name go with it.",
            )
        study = load_resolved_experiment(experiment, data_root=data_root)
        options = replace(options, accelerator=accelerator or study.experiment.resources.accelerator)
        place = device or ("cuda" if study.experiment.resources.gpus else "cpu")
        wanted = verb.rows(
            [(variant, study.data.size) for variant in study.variants], verb.settings_of_experiment(study, place)
        )
        experiment = study.experiment.name
    else:
        if not names:
            raise HarnessError(
                "no variant is named", where="bench", remedy="harness bench resnet18, or --experiment NAME."
            )
        formats = {None: "auto", True: "channels_last", False: "contiguous"}
        settings = verb.grid(
            device or "cpu",
            numbers(batches or "1,32"),
            [part.strip() for part in (precision or "fp32").split(",")],
            ["contiguous", "channels_last"] if every else [formats[channels_last]],
            [False, True] if every else [compiled],
            threads,
        )
        wanted = verb.rows(verb.with_content_hash(names, image_shape(given) if given else None), settings)
    if name is not None:
        verb.require_page(name, options)
    done: list[MeasuredCost] = []
    try:
        for alike in _shown(wanted, repeats, verb.bench, seconds, options, experiment):
            done += alike
    except Interrupted as interrupt:
        interrupt.kept = f"Stopped. {len(done)} of {len(wanted)} rows are measured, and in the record."
        raise
    finally:
        if done:
            _print(done, as_json)
            if name is not None:
                err.print(f"Written: {escape_rich(verb.write(name, done, options, ['harness', *sys.argv[1:]]))}")


def _shown(
    wanted: Sequence[MeasuredCost],
    repeats: int,
    bench: Callable[..., Iterator[list[MeasuredCost]]],
    seconds: float,
    options: Settings,
    experiment: str | None,
) -> Iterator[list[MeasuredCost]]:
    """The same with a bar: one tick for each round of a setting."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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

        def tick(alike: Sequence[MeasuredCost]) -> None:
            setting = alike[0].setting
            bar.update(task, advance=1, description=escape_rich(f"batch {setting.batch}, {setting.precision}"))

        def say(line: str) -> None:
            err.print(escape_rich(line), soft_wrap=True)

        yield from bench(wanted, repeats, seconds, options, experiment, tick, say)


def _print(rows: Sequence[MeasuredCost], as_json: bool) -> None:
    from rich.table import Table

    from harness.reporting.page.benchmark_table import HEADINGS, format_benchmark_cells, build_benchmark_rows, describe_benchmark, group_by_setting

    if as_json:
        typer.echo(json.dumps([row.model_dump(mode="json") for row in rows]))
        return
    for title, alike in group_by_setting(rows):
        table = Table(title=escape_rich(title), box=None, header_style="bold", title_justify="left", title_style="bold")
        content = [format_benchmark_cells(line) for line in build_benchmark_rows(alike)]
        # What no row has is left out, and so is a batch that the title names.
        batch = HEADINGS.index("Batch")
        kept = [
            index
            for index, column in enumerate(zip(*content, strict=True))
            if set(column) != {"–"} and (index != batch or any(row.fitted for row in alike))
        ]
        for index in kept:
            table.add_column(HEADINGS[index], justify="left" if index < 2 else "right", no_wrap=index == 0)
        for row in content:
            table.add_row(*(escape_rich(row[index]) for index in kept))
        out.print(table)
        out.print()
    for note in describe_benchmark(rows):
        out.print(escape_rich(note), soft_wrap=True)


def numbers(text: str) -> list[int]:
    """``1,32`` as numbers.

    Raises:
        HarnessError: One of them is none.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"-?\d{1,9}", part) for part in parts):
        raise HarnessError(f"'{text[:60]}' are no batch sizes", where="--batch-sizes", remedy="Write 1,32.")
    return list(dict.fromkeys(int(part) for part in parts))
