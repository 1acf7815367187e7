"""The report of measured costs: table cells and notes for page and terminal, and the files in its directory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import median

from harness.io.atomic_files import write_atomic
from harness.reporting.formatting import (
    ABSENT,
    format_count,
    format_interval,
    format_number,
    format_table_row,
    keep_together,
)
from harness.reporting.page.benchmark_table import FEWEST_STEPS, BenchmarkRow, build_benchmark_rows, peak_flops
from harness.reporting.statistics.intervals import Estimate
from harness.specs.measured_cost import FEWEST_REPEATS, MeasuredCost
from harness.text import code_span, escape_markdown

HEADINGS = (
    "Variant", "Phase", "Batch", "Step (ms)", "95 % interval", "p95 (ms)", "Images/s", "Ratio", "95 % interval",
    "First step (s)", "GPU (MiB)", "Host (MiB)", "MFU (%)", "J/image",
)  # fmt: skip
MEBIBYTE = 2**20


def format_benchmark_cells(row: BenchmarkRow) -> list[str]:
    """Return the cells of a row under :data:`HEADINGS`, as plain text."""
    cost, step, ratio = row.cost, row.step, row.ratio
    return [
        cost.label + (" *" if cost.busy else ""),
        row.phase,
        f"{cost.batch}" + (f" (of {cost.setting.batch})" if cost.fitted else ""),
        format_number(1000 * step.mean),
        _format_bounds(step, 1000, 2) if step.n >= FEWEST_REPEATS else ABSENT,
        format_number(None if row.p95 is None else 1000 * row.p95),
        format_count(row.images_per_s) if row.images_per_s >= 10 else format_number(row.images_per_s),
        format_number(ratio.mean, 3) if ratio else ABSENT,
        _format_bounds(ratio, 1, 3) if ratio else ABSENT,
        format_number(row.first_step),
        format_number(row.device_bytes / MEBIBYTE or None, 0),
        format_number(row.host_bytes / MEBIBYTE, 0),
        format_number(None if row.utilisation is None else 100 * row.utilisation, 1),
        format_number(row.joules, 3),
    ]


def _format_bounds(estimate: Estimate, scale: float, decimals: int) -> str:
    """Return the interval of an estimate, multiplied by ``scale``."""
    if estimate.low is None or estimate.high is None:
        return ABSENT
    return format_interval(scale * estimate.low, scale * estimate.high, decimals=decimals)


def group_by_setting(costs: Sequence[MeasuredCost]) -> list[tuple[str, list[MeasuredCost]]]:
    """Return (title, costs) of each table. A table holds costs of equal setting and equal conditions."""
    tables = []
    for _, group in groupby(costs, key=lambda cost: (cost.setting, tuple(cost.conditions.items()))):
        equal = list(group)
        setting, conditions = equal[0].setting, equal[0].conditions
        height, width = setting.size
        layout = str(conditions.get("memory_format", "")).removesuffix("_format")
        title = (
            f"{conditions.get('device', setting.device)}: {equal[0].variant.in_channels}x{height}x{width} images, "
            f"batch {setting.batch}, {setting.precision}, {layout}, {conditions.get('kernels', '')} kernels"
        )
        tables.append((title, equal))
    return tables


def describe_benchmark(costs: Sequence[MeasuredCost]) -> list[str]:
    """Return paragraphs of plain text that explain the columns of the tables."""
    processes = " to ".join(map(str, sorted({len(cost.repeats) for cost in costs})))
    notes = [
        f"Step: mean over {processes} processes of the median step time in each, with its 95 % t interval (from "
        f"{FEWEST_REPEATS} processes on). p95: 95th percentile of the step times within a process (from {FEWEST_STEPS} "
        "steps on).",
        "Ratio: step time relative to the first row of the table, process by process. On a CPU the compared processes "
        "took turns. Inference waits for each step to end, so its images/s are the batch size over the step time.",
        "MFU (model FLOPs utilisation): FLOPs of convolutions and linear layers (2 per MAC, three times as many in "
        f"training), relative to the fastest matrix product measured on the same device: {format_peaks(costs)}.",
        "GPU: the most memory that torch held on it. Host: the most memory that the process held, its libraries "
        "included.",
    ]
    busy = {cost.busy for cost in costs if cost.busy}
    if busy:
        notes.append(f"* The device was contended, so do not compare these rows: {'; '.join(sorted(busy))}.")
    if any(cost.fitted for cost in costs):
        notes.append("8 (of 16): the memory held a batch of 8 instead of 16. Such a row has no ratio.")
    return notes


def format_peaks(costs: Sequence[MeasuredCost]) -> str:
    """Return the measured peak of each precision: ``0.5 TFLOP/s in fp32``, joined by commas."""
    peaks: dict[str, list[float]] = {}
    for cost in costs:
        peaks.setdefault(cost.setting.precision, []).append(peak_flops(cost))
    return ", ".join(f"{median(values) / 1e12:.3g} TFLOP/s in {precision}" for precision, values in peaks.items())


def render_benchmark_page(name: str, costs: Sequence[MeasuredCost], command: str) -> str:
    """Return the tables as Markdown.

    Args:
        command: The command that measured them.
    """
    lines = [f"# Measured costs: {escape_markdown(name)}", "", f"Made by `{command}`.", ""]
    for title, equal in group_by_setting(costs):
        lines += [f"## {escape_markdown(title)}", ""]
        lines += [format_table_row(HEADINGS), "| :-- | :-- |" + " --: |" * (len(HEADINGS) - 2)]
        for row in build_benchmark_rows(equal):
            label, *cells = format_benchmark_cells(row)
            lines.append(format_table_row([escape_markdown(label), *map(keep_together, cells)]))
        lines.append("")
    lines += [f"{escape_markdown(note)}\n" for note in describe_benchmark(costs)]
    software = dict.fromkeys(str(cost.conditions.get("software", "")) for cost in costs)
    lines += [f"Software: {'; '.join(map(escape_markdown, software))}. Raw values: [costs.json](costs.json).", ""]
    return "\n".join(lines)


def write_benchmark_report(name: str, costs: Sequence[MeasuredCost], directory: Path, command: str) -> Path:
    """Write README.md and costs.json, which holds every raw value, into ``directory``; return the path of the README.

    Args:
        command: The command that measured them.

    Raises:
        HarnessError: The directory cannot be written to.
    """
    content = "[\n" + ",\n".join(cost.model_dump_json(exclude_defaults=True) for cost in costs) + "\n]\n"
    write_atomic(directory / "costs.json", content.encode())
    page = render_benchmark_page(name, costs, code_span(command).strip("`"))
    write_atomic(directory / "README.md", page.encode())
    return directory / "README.md"
