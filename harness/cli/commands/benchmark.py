"""The command that measures what variants cost: bench."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import err, print_text
from harness.cli.parameters import Json, with_options
from harness.errors import Interrupted
from harness.settings import BenchmarkOptions, Settings

if TYPE_CHECKING:
    from harness.api.networks.benchmark_request import BenchmarkRequest
    from harness.specs.measured_cost import MeasuredCost

app = typer.Typer()


@app.command()
@with_options(BenchmarkOptions)
@with_options(
    Settings, "launcher", "address", "wait", "accelerator", "data_root", "tracking_uri", "home", "reports",
    "no_code", launcher="inline",
)  # fmt: skip
def bench(
    options: BenchmarkOptions,
    settings: Settings,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Variants, such as resnet18 or torchvision/resnet18. Ratios are to the first one.",
            metavar="[VARIANT]...",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Also write the tables and raw values to <reports>/<name>/.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure what variants cost in inference and training: latency, throughput, memory, energy, utilisation.

    Each repeat is a process of its own. On a CPU, the processes of a row take turns. With --launcher ray, a task
    reserves the GPU, or all cores of a node. Times from a device that other processes used meanwhile are marked.

    A network of `kind: python` is built, so the code that a variant names is imported. --no-code refuses it.

    Example: harness bench resnet18 resnet34 --input 3x64x64 --batch-sizes 16
    """
    from harness.api.networks import benchmark
    from harness.api.networks.benchmark_request import check_benchmark_settings, request_benchmark
    from harness.api.results.compare import require_report_name
    from harness.cli.views.benchmark_view import print_costs

    settings = check_benchmark_settings(settings)
    if name is not None:
        require_report_name(name)
    request = request_benchmark(names or [], options, settings)
    if name is not None:
        benchmark.require_benchmark_directory(name, request.settings)
    costs: list[MeasuredCost] = []
    try:
        _measure(request, options, costs)
    except Interrupted as interrupt:
        interrupt.message = f"Stopped. {len(costs)} of {len(request.rows)} rows are measured and recorded."
        raise
    finally:
        if costs:
            print_costs(costs, as_json)
            if name is not None:
                path = benchmark.write_benchmark(name, costs, request.settings, ["harness", *sys.argv[1:]])
                print_text(f"Written: {path}", err)


def _measure(request: BenchmarkRequest, options: BenchmarkOptions, costs: list[MeasuredCost]) -> None:
    """Measure all rows with a progress bar, and add those of each setting to ``costs`` once they are recorded."""
    from harness.api.networks.benchmark import measure_costs
    from harness.cli.views.benchmark_view import BenchmarkProgress

    with BenchmarkProgress(request.rows, options.repeats) as progress:
        for setting_costs in measure_costs(
            request.rows,
            options.repeats,
            options.seconds,
            request.settings,
            request.experiment,
            progress.advance,
            progress.print_line,
        ):
            costs += setting_costs
