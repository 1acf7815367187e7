"""Measuring what variants cost, and keeping it in the record."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.io.atomic_files import require_writable
from harness.settings import Settings
from harness.specs import Catalogue, ResolvedExperiment
from harness.specs.measured_cost import CostSetting, MeasuredCost
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.record import open_record

if TYPE_CHECKING:
    from pathlib import Path

    from harness.launchers.benchmark import RunRequests


def settings_of_experiment(study: ResolvedExperiment, device: str) -> list[CostSetting]:
    """What is measured for an experiment: one image (latency) and a batch of its recipe, as its trials run."""
    experiment = study.experiment
    return [
        CostSetting.of_trials(
            experiment.recipe,
            study.execution,
            device=device,
            batch=batch,
            size=study.data.size,
            threads=experiment.resources.cpus,
        )
        for batch in (1, experiment.recipe.batch)
    ]


def grid(
    device: str,
    batches: Sequence[int],
    precisions: Sequence[str],
    memory_formats: Sequence[str],
    compiled: Sequence[bool],
    threads: int | None,
) -> list[CostSetting]:
    """Every combination, of images whose size is yet to be said.

    Raises:
        HarnessError: A batch of no images, or a precision that there is none of.
    """
    from harness.launchers.resources import count_cores

    if not re.fullmatch(r"cpu|cuda(:\d{1,3})?", device):
        raise HarnessError(
            f"there is no device '{device[:20]}' here", where="--device", remedy="Use cpu, cuda, or cuda:1."
        )
    for batch in batches:
        if batch < 1:
            raise HarnessError(f"a batch of {batch} images is none", where="--batch-sizes", remedy="Use 1 or more.")
    known = ("fp32", "tf32", "bf16", "fp16")
    for precision in precisions:
        if precision not in known:
            raise HarnessError(
                f"there is no precision '{precision[:20]}' here",
                where="--precision",
                remedy=f"Use {', '.join(known[:-1])} or {known[-1]}; on the CPU fp32 or bf16.",
            )
        if device == "cpu" and precision in ("tf32", "fp16"):
            raise HarnessError(
                f"the CPU does not compute in {precision}",
                where="--precision",
                remedy="Use fp32 or bf16, or --device cuda.",
            )
    return [
        CostSetting.model_validate(
            {
                "device": device,
                "batch": batch,
                "size": (1, 1),
                "precision": precision,
                "memory_format": memory_format,
                "compile": compile_,
                "threads": threads or count_cores(),
            }
        )
        for precision, memory_format, compile_, batch in product(precisions, memory_formats, compiled, batches)
    ]


def rows(variants: Sequence[tuple[AnyVariant, tuple[int, int]]], settings: Sequence[CostSetting]) -> list[MeasuredCost]:
    """A row to be measured for each setting and variant; one that is named twice has two labels.

    Args:
        variants: Each with height and width of its images; those of one size are beside each other.

    Raises:
        HarnessError: A foreign network cannot be made, or does not take such images.
    """
    from harness.costs.complexity import static_costs
    from harness.specs import Variant
    from harness.specs.network.layer_plan import require_input

    made = []
    for setting, size in product(settings, dict.fromkeys(size for _, size in variants)):
        times: Counter[str] = Counter()
        for variant in (variant for variant, its in variants if its == size):
            if isinstance(variant, Variant):
                require_input(variant, size)
            times[variant.name] += 1
            costs = static_costs(variant, size)
            made.append(
                MeasuredCost(
                    label=variant.name + (f" ({times[variant.name]})" if times[variant.name] > 1 else ""),
                    variant=variant,
                    setting=setting.model_copy(update={"size": size}),
                    macs=costs.macs,
                    training_bytes=12 * costs.params + 12 * costs.activations * setting.batch,
                )
            )
    return made


def with_content_hash(
    names: Sequence[str], given: tuple[int | None, int, int] | None
) -> list[tuple[AnyVariant, tuple[int, int]]]:
    """Variants by name, those of other libraries with their versions; each with height and width of its images.

    Args:
        given: Channels (None: the variant's own), height and width; without, the families' own input size.

    Raises:
        HarnessError: There is no such variant.
    """
    catalogue = Catalogue.load()
    found = []
    for name in names:
        variant = catalogue.get(name).with_content_hash()
        if given is None:
            side = catalogue.family(variant.family).input_size
            found.append((variant, (side, side)))
        else:
            channels, *size = given
            fields = {} if channels is None else {"in_channels": channels}
            found.append((variant.model_copy(update=fields), (size[0], size[1])))
    return found


def bench(
    wanted: Sequence[MeasuredCost],
    repeats: int,
    seconds: float,
    settings: Settings,
    experiment: str | None = None,
    progress: Callable[[Sequence[MeasuredCost]], None] = lambda alike: None,
    said: Callable[[str], None] = lambda line: None,
) -> Iterator[list[MeasuredCost]]:
    """Measure, and record each setting as it is done: beside the trials of an experiment, or in a place of its own.

    Args:
        seconds: To time each phase of each process for.
        progress: Hears of the rows of a setting after each round.

    Yields:
        The rows of each setting, once they are measured and recorded.

    Raises:
        HarnessError: Something cannot be measured here; what was done before is recorded.
    """
    from harness.launchers.benchmark import measure_rows
    from harness.tracking.cost_metrics import COSTS_EXPERIMENT

    require_writable(settings.home)
    record = open_record(settings, experiment or COSTS_EXPERIMENT)
    with _launcher(settings, wanted[0].setting, said) as together:
        for alike in measure_rows(wanted, repeats, seconds, together, said):
            progress(alike)
            if len(alike[0].repeats) == repeats:
                for cost in alike:
                    record.record_cost(cost)
                yield alike


def require_page(name: str, settings: Settings) -> None:
    """Refuse, before anything is measured, a page that could not be written.

    Raises:
        HarnessError: It would lie in another report's directory, or in one that cannot be written to.
    """
    from harness.io.output_directory import require_report_directory

    require_report_directory(settings.reports / name, "costs")


@contextmanager
def _launcher(settings: Settings, setting: CostSetting, said: Callable[[str], None]) -> Iterator[RunRequests]:
    from harness.launchers.interleaved_processes import run_interleaved
    from harness.launchers.ray.benchmark_tasks import start_benchmark

    if settings.launcher == "inline" and settings.address is None:
        yield run_interleaved
    else:
        with start_benchmark(setting, settings.address, settings.accelerator, settings.wait, said) as there:
            yield there


def write(name: str, rows: Sequence[MeasuredCost], settings: Settings, command: Sequence[str]) -> Path:
    """The tables as ``<reports>/<name>/README.md``, with every raw value beside.

    Args:
        command: That made them, as a shell splits it; passwords in it are left out.

    Raises:
        HarnessError: The directory holds another report, or cannot be written to.
    """
    from harness.reporting.page.benchmark_page import write_benchmark_report
    from harness.tracking.mlflow_record.client import redact_passwords

    require_page(name, settings)
    return write_benchmark_report(name, rows, settings.reports / name, redact_passwords(shlex.join(command)))
