"""Measuring what variants cost, and keeping it in the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.files import require_writable
from harness.specs import Catalogue, Study
from harness.specs.cost import Cost, Setting
from harness.specs.trial import AnyVariant
from harness.verbs.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from harness.launching.bench import Together

FEWEST_REPEATS = 5
"""Processes below which no interval is to be trusted (docs/statistics.md)."""


def settings_of(study: Study, device: str) -> list[Setting]:
    """What is measured for an experiment: one image (latency) and a batch of its recipe, as its trials run."""
    recipe, execution = study.experiment.recipe, study.experiment.execution
    return [
        Setting(
            device=device,
            batch=batch,
            size=study.data.size,
            precision=recipe.precision,
            optimiser=recipe.optimiser,
            memory_format=execution.memory_format,
            deterministic=execution.deterministic,
            compile=execution.compile,
            threads=study.experiment.resources.cpus,
        )
        for batch in (1, recipe.micro_batch or recipe.batch)
    ]


def grid(
    size: tuple[int, int],
    device: str,
    batches: Sequence[int],
    precisions: Sequence[str],
    memory_formats: Sequence[str],
    compiled: Sequence[bool],
    threads: int | None,
) -> list[Setting]:
    """Every combination, those that share most beside each other.

    Raises:
        HarnessError: A batch of no images, or a precision that there is none of.
    """
    from harness.launching.resources import cores

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
    return [
        Setting.model_validate(
            {
                "device": device,
                "batch": batch,
                "size": size,
                "precision": precision,
                "memory_format": memory_format,
                "compile": compile_,
                "threads": threads or cores(),
            }
        )
        for precision, memory_format, compile_, batch in product(precisions, memory_formats, compiled, batches)
    ]


def rows(variants: Sequence[AnyVariant], settings: Sequence[Setting]) -> list[Cost]:
    """A row to be measured for each setting and variant; one that is named twice has two labels.

    Raises:
        HarnessError: A foreign network cannot be made, or does not take such images.
    """
    from harness.costs.static import static_costs
    from harness.specs import Variant
    from harness.specs.expansion import require_input

    made = []
    for setting in settings:
        times: Counter[str] = Counter()
        for variant in variants:
            if isinstance(variant, Variant):
                require_input(variant, setting.size)
            times[variant.name] += 1
            label = variant.name + (f" ({times[variant.name]})" if times[variant.name] > 1 else "")
            costs = static_costs(variant, setting.size)
            expected = 12 * costs.params + 12 * costs.activations * setting.batch
            made.append(Cost(label=label, variant=variant, setting=setting, macs=costs.macs, training_bytes=expected))
    return made


def located(names: Sequence[str], channels: int | None = None) -> list[AnyVariant]:
    """Variants by name, those of other libraries with their versions.

    Raises:
        HarnessError: There is no such variant.
    """
    catalogue = Catalogue.load()
    fields = {} if channels is None else {"in_channels": channels}
    return [catalogue.get(name).located().model_copy(update=fields) for name in names]


def bench(
    wanted: Sequence[Cost],
    repeats: int,
    seconds: float,
    settings: Settings,
    experiment: str | None = None,
    progress: Callable[[Sequence[Cost]], None] = lambda alike: None,
    said: Callable[[str], None] = lambda line: None,
) -> list[Cost]:
    """Measure, and record each setting as it is done: beside the trials of an experiment, or in a place of its own.

    Args:
        seconds: To time each phase of each process for.
        progress: Hears of the rows of a setting after each round.

    Raises:
        HarnessError: Something cannot be measured here; what was done before is recorded.
    """
    from harness.launching.bench import bench as measure
    from harness.tracking.costs import ELSEWHERE

    if repeats < 1:
        raise HarnessError(f"{repeats} repeats measure nothing", where="--repeats", remedy=f"Use {FEWEST_REPEATS}.")
    require_writable(settings.home)
    record = settings.record(experiment or ELSEWHERE)
    done: list[Cost] = []
    with _launcher(settings, wanted[0].setting) as together:
        for alike in measure(wanted, repeats, seconds, together, said):
            progress(alike)
            if len(alike[0].repeats) == repeats:
                for cost in alike:
                    record.record_cost(cost)
                done += alike
    return done


@contextmanager
def _launcher(settings: Settings, setting: Setting) -> Iterator[Together]:
    from harness.launching.bench import on_ray, together

    if settings.launcher == "inline" and settings.address is None:
        yield together
    else:
        with on_ray(setting, settings.address) as there:
            yield there


def write(name: str, rows: Sequence[Cost], settings: Settings, command: str) -> Path:
    """The tables as ``<reports>/<name>/README.md``, with every raw value beside.

    Raises:
        HarnessError: It is no name, or the directory cannot be written to.
    """
    from harness.reporting.bench import write_costs
    from harness.reporting.place import require_own

    directory = settings.reports / name
    require_own(directory, "costs")
    return write_costs(name, rows, directory, command)
