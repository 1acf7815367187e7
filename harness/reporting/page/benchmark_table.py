"""Measured costs as a table: medians with their interval over processes, ratios to the first row of a setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import exp, log
from pathlib import Path
from statistics import fmean, median
from typing import Literal

import numpy as np

from harness.io.atomic_files import write_atomic
from harness.reporting.formatting import format_count, format_number, keep_together
from harness.reporting.statistics.estimates import Estimate, estimate_mean, estimate_ratio
from harness.specs.measured_cost import FEWEST_REPEATS, MeasuredCost, Phase
from harness.text import code_span, escape_markdown
from harness.tracking.cost_metrics import medians, phases, step_seconds

Name = Literal["inference", "training"]
TRAINING_FLOPS = 3
"""Times the forward's FLOPs: backward takes one product for the images' gradient and one for the weights'."""
FEWEST_STEPS = 20
"""Timed steps of a process below which its 95th percentile is little but its maximum."""
HEADINGS = (
    "Variant", "Phase", "Batch", "Step (ms)", "95 % interval", "p95 (ms)", "Images/s", "Ratio", "95 % interval",
    "First step (s)", "GPU (MiB)", "Host (MiB)", "MFU (%)", "J/image",
)  # fmt: skip


@dataclass(frozen=True)
class BenchmarkRow:
    """One phase of one row.

    Attributes:
        step: Seconds of a step: mean and interval over the medians of the processes.
        p95: Seconds; the median over processes of the 95th percentile within one; None of few steps.
        device_bytes: The most that torch held on the GPU; 0 on the CPU.
        host_bytes: The most that the process held, its libraries included.
        first: Seconds of the first step.
        utilisation: Share of the fastest matrix product that the device was seen to do; model FLOPs are 2 per MAC,
            three times as many in training. None where only a head is trained.
        joules: Per image; None where the device has no meter.
        ratio: To the first row of the same setting, pairs of processes that ran in turn; None for that row, where
            batch or conditions differ, or with a single repeat.
    """

    cost: MeasuredCost
    phase: Name
    step: Estimate
    p95: float | None
    device_bytes: int
    host_bytes: int
    first: float
    utilisation: float | None
    joules: float | None
    ratio: Estimate | None

    @property
    def images_per_s(self) -> float:
        """Throughput."""
        return self.cost.batch / self.step.mean


def build_benchmark_rows(rows: Sequence[MeasuredCost]) -> list[BenchmarkRow]:
    """Inference and training of every row; of a row that cannot be trained on its batch, inference alone."""
    found = []
    for cost in rows:
        first = next(row for row in rows if row.setting == cost.setting)
        for phase in ("inference", "training"):
            if phases(cost, phase):
                found.append(_line(cost, phase, first))
    return found


def _line(cost: MeasuredCost, phase: Name, first: MeasuredCost) -> BenchmarkRow:
    measured = phases(cost, phase)
    step = estimate_mean(medians(cost, phase))
    joules = [each.joules for each in measured if each.joules is not None]
    flops = 2 * cost.macs * cost.batch * (TRAINING_FLOPS if phase == "training" else 1)
    frozen = cost.variant.weights is not None and cost.variant.weights.freeze == "body"
    few = min(len(step_seconds(each)) for each in measured) < FEWEST_STEPS
    return BenchmarkRow(
        cost,
        phase,
        step,
        None if few else median(float(np.percentile(step_seconds(each), 95)) for each in measured),
        max(each.device_bytes for each in measured),
        max(each.host_bytes for each in measured),
        fmean(each.first_s for each in measured),
        None if frozen and phase == "training" else flops / step.mean / measured_peak_flops(cost),
        fmean(joules) / cost.batch if joules else None,
        None if cost is first else compare_step_times(cost, first, phase),
    )


def measured_peak_flops(cost: MeasuredCost) -> float:
    """FLOPs per second of the fastest matrix product, the median of its processes."""
    return median(repeat.peak_flops for repeat in cost.repeats)


def compare_step_times(cost: MeasuredCost, other: MeasuredCost, phase: Name) -> Estimate | None:
    """Time of a step to that of another row, process by process; None where they are not comparable."""
    mine, theirs = phases(cost, phase), phases(other, phase)
    if cost.batch != other.batch or cost.conditions != other.conditions or len(mine) != len(theirs) or len(mine) < 2:
        return None
    in_turn = [a.group is not None and a.group == b.group for a, b in zip(cost.repeats, other.repeats, strict=True)]
    pairs = zip(mine, theirs, in_turn, strict=True)
    found = estimate_ratio([_turn_by_turn(a, b, alternating) for a, b, alternating in pairs], [1.0] * len(mine))
    return found if len(mine) >= FEWEST_REPEATS else replace(found, low=None, high=None)


def _turn_by_turn(a: Phase, b: Phase, alternating: bool) -> float:
    """Ratio of two processes: where their turns alternated, the median over turns, as what slowed one slowed both."""
    if not alternating or len(a.turns) != len(b.turns):
        return median(step_seconds(a)) / median(step_seconds(b))
    return exp(median(log(median(x) / median(y)) for x, y in zip(a.turns, b.turns, strict=True)))


def format_benchmark_cells(line: BenchmarkRow) -> list[str]:
    """The row's cells under :data:`HEADINGS`, as plain text."""
    cost, step, ratio = line.cost, line.step, line.ratio
    return [
        cost.label + (" *" if cost.busy else ""),
        line.phase,
        f"{cost.batch}" + (f" (of {cost.setting.batch})" if cost.fitted else ""),
        format_number(1000 * step.mean),
        _between(step, 1000, 2) if step.n >= FEWEST_REPEATS else "–",
        format_number(None if line.p95 is None else 1000 * line.p95),
        format_count(line.images_per_s) if line.images_per_s >= 10 else format_number(line.images_per_s),
        format_number(ratio.mean, 3) if ratio else "–",
        _between(ratio, 1, 3) if ratio else "–",
        format_number(line.first),
        format_number(line.device_bytes / 2**20 or None, 0),
        format_number(line.host_bytes / 2**20, 0),
        format_number(None if line.utilisation is None else 100 * line.utilisation, 1),
        format_number(line.joules, 3),
    ]


def _between(estimate: Estimate, scale: float, decimals: int) -> str:
    if estimate.low is None or estimate.high is None:
        return "–"
    return f"{format_number(scale * estimate.low, decimals)} to {format_number(scale * estimate.high, decimals)}"


def group_by_setting(rows: Sequence[MeasuredCost]) -> list[tuple[str, list[MeasuredCost]]]:
    """The rows by setting, each with what they share in words."""
    found = []
    for _, group in groupby(rows, key=lambda row: (row.setting, tuple(row.conditions.items()))):
        alike = list(group)
        cost, conditions = alike[0], alike[0].conditions
        height, width = cost.setting.size
        layout = str(conditions.get("memory_format", "")).removesuffix("_format")
        title = (
            f"{conditions.get('device', cost.setting.device)}: {cost.variant.in_channels}x{height}x{width} images, "
            f"batch {cost.setting.batch}, {cost.setting.precision}, {layout}, {conditions.get('kernels', '')} kernels"
        )
        found.append((title, alike))
    return found


def describe_benchmark(rows: Sequence[MeasuredCost]) -> list[str]:
    """What the numbers are, in sentences."""
    processes = " to ".join(map(str, sorted({len(row.repeats) for row in rows})))
    said = [
        f"Each row: the medians of {processes} processes, mean with 95 % t interval (from {FEWEST_REPEATS} on). "
        "Ratio: to the first row of the table, process by process; on a CPU these took turns. p95 is within a process, "
        f"of {FEWEST_STEPS} steps or more. Inference waits for each step, so its images/s are 1/latency.",
        "MFU: model FLOPs (2 per MAC of convolutions and linear layers, three times as many in training) against the "
        f"fastest matrix product measured beside: {format_peaks(rows)}.",
        "GPU: the most that torch held on it. Host: the most that the process held, its libraries included.",
    ]
    busy = {row.busy for row in rows if row.busy}
    if busy:
        said.append(f"* contended, no measurement to compare by: {'; '.join(sorted(busy))}.")
    if any(row.fitted for row in rows):
        said.append("A batch 'of' a larger one is what fitted the memory; it has no ratio to others.")
    return said


def format_peaks(rows: Sequence[MeasuredCost]) -> str:
    """The measured peaks, by precision."""
    by: dict[str, list[float]] = {}
    for row in rows:
        by.setdefault(row.setting.precision, []).append(measured_peak_flops(row))
    return ", ".join(f"{median(found) / 1e12:.3g} TFLOP/s in {precision}" for precision, found in by.items())


def render_benchmark_page(name: str, rows: Sequence[MeasuredCost], command: str) -> str:
    """The tables as a page."""
    text = [f"# Measured costs: {escape_markdown(name)}", "", f"Made by `{command}`.", ""]
    for title, alike in group_by_setting(rows):
        text += [f"## {escape_markdown(title)}", "", _row(HEADINGS), "| :-- | :-- |" + " --: |" * (len(HEADINGS) - 2)]
        text += [_row([escape_markdown(format_benchmark_cells(line)[0]), *map(keep_together, format_benchmark_cells(line)[1:])]) for line in build_benchmark_rows(alike)]
        text.append("")
    text += [f"{escape_markdown(note)}\n" for note in describe_benchmark(rows)]
    software = dict.fromkeys(str(row.conditions.get("software", "")) for row in rows)
    text += [f"Software: {'; '.join(map(escape_markdown, software))}. Raw values: [costs.json](costs.json).", ""]
    return "\n".join(text)


def _row(content: Sequence[str]) -> str:
    return "| " + " | ".join(content) + " |"


def write_benchmark_report(name: str, rows: Sequence[MeasuredCost], directory: Path, command: str) -> Path:
    """README.md and costs.json in ``directory``; returns the first.

    Raises:
        HarnessError: The directory cannot be written to.
    """
    content = "[\n" + ",\n".join(row.model_dump_json(exclude_defaults=True) for row in rows) + "\n]\n"
    write_atomic(directory / "costs.json", content.encode())
    write_atomic(directory / "README.md", render_benchmark_page(name, rows, code_span(command).strip("`")).encode())
    return directory / "README.md"
