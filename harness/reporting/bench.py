"""Measured costs as a table: medians with their interval over processes, ratios to the first row of a setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import exp, log
from pathlib import Path
from statistics import fmean, median
from typing import Literal

import numpy as np

from harness.files import write_whole
from harness.reporting.statistics import Estimate, mean_interval, ratio_interval
from harness.reporting.wording import big, code, escaped, number, unbroken
from harness.specs.cost import Cost, Phase
from harness.tracking.costs import medians, phases, step_seconds

Name = Literal["inference", "training"]
TRAINING_FLOPS = 3
"""Times the forward's FLOPs: backward takes one product for the images' gradient and one for the weights'."""
HEADINGS = (
    "Variant", "Phase", "Batch", "Step (ms)", "95 % interval", "p95 (ms)", "Images/s", "Ratio", "95 % interval",
    "First step (s)", "Memory (MiB)", "MFU (%)", "J/image",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One phase of one row.

    Attributes:
        step: Seconds of a step: mean and interval over the medians of the processes.
        p95: Seconds; the median over processes of the 95th percentile within one.
        memory: Most bytes, on the GPU, or of the whole process on the CPU.
        first: Seconds of the first step.
        utilisation: Share of the fastest matrix product that the device was seen to do; model FLOPs are 2 per MAC,
            three times as many in training.
        joules: Per image; None where the device has no meter.
        ratio: To the first row of the same setting, pairs of processes that ran in turn; None for that row, where
            batch or conditions differ, or with a single repeat.
    """

    cost: Cost
    phase: Name
    step: Estimate
    p95: float
    memory: int
    first: float
    utilisation: float
    joules: float | None
    ratio: Estimate | None

    @property
    def images_per_s(self) -> float:
        """Throughput."""
        return self.cost.batch / self.step.mean


def lines(rows: Sequence[Cost]) -> list[Line]:
    """Inference and training of every row; of a row that cannot be trained on its batch, inference alone."""
    found = []
    for cost in rows:
        first = next(row for row in rows if row.setting == cost.setting)
        for phase in ("inference", "training"):
            if phases(cost, phase):
                found.append(_line(cost, phase, first))
    return found


def _line(cost: Cost, phase: Name, first: Cost) -> Line:
    measured = phases(cost, phase)
    step = mean_interval(medians(cost, phase))
    joules = [each.joules for each in measured if each.joules is not None]
    flops = 2 * cost.macs * cost.batch * (TRAINING_FLOPS if phase == "training" else 1)
    return Line(
        cost,
        phase,
        step,
        median(float(np.percentile(step_seconds(each), 95)) for each in measured),
        max(each.device_bytes or each.host_bytes for each in measured),
        fmean(each.first_s for each in measured),
        flops / step.mean / median(repeat.peak_flops for repeat in cost.repeats),
        fmean(joules) / cost.batch if joules else None,
        None if cost is first else ratio(cost, first, phase),
    )


def ratio(cost: Cost, other: Cost, phase: Name) -> Estimate | None:
    """Time of a step to that of another row, process by process; None where they are not comparable."""
    mine, theirs = phases(cost, phase), phases(other, phase)
    if cost.batch != other.batch or cost.conditions != other.conditions or len(mine) != len(theirs) or len(mine) < 2:
        return None
    # Processes are paired as they took turns: what slows the machine down slows both.
    return ratio_interval([_turn_by_turn(a, b) for a, b in zip(mine, theirs, strict=True)], [1.0] * len(mine))


def _turn_by_turn(a: Phase, b: Phase) -> float:
    """Median over turns of the ratio of their medians, since the turns of a pair alternate."""
    if len(a.turns) != len(b.turns):
        return median(step_seconds(a)) / median(step_seconds(b))
    return exp(median(log(median(x) / median(y)) for x, y in zip(a.turns, b.turns, strict=True)))


def cells(line: Line) -> list[str]:
    """The row's cells under :data:`HEADINGS`, as plain text."""
    cost, step, ratio = line.cost, line.step, line.ratio
    return [
        cost.label + (" *" if cost.busy else ""),
        line.phase,
        f"{cost.batch}" + (f" (of {cost.setting.batch})" if cost.fitted else ""),
        number(1000 * step.mean),
        _between(step, 1000, 2),
        number(1000 * line.p95),
        big(line.images_per_s) if line.images_per_s >= 10 else number(line.images_per_s),
        number(ratio.mean, 3) if ratio else "–",
        _between(ratio, 1, 3) if ratio else "–",
        number(line.first),
        number(line.memory / 2**20, 0),
        number(100 * line.utilisation, 1),
        number(line.joules, 3),
    ]


def _between(estimate: Estimate, scale: float, decimals: int) -> str:
    if estimate.low is None or estimate.high is None:
        return "–"
    return f"{number(scale * estimate.low, decimals)} to {number(scale * estimate.high, decimals)}"


def titles(rows: Sequence[Cost]) -> list[tuple[str, list[Cost]]]:
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


def notes(rows: Sequence[Cost]) -> list[str]:
    """What the numbers are, in sentences."""
    processes = sorted({len(row.repeats) for row in rows})
    said = [
        f"Each row: the medians of {' to '.join(map(str, processes))} processes, mean with 95 % t interval. "
        "Ratio: to the first row of the table, of processes that took turns. p95 is within a process.",
        "MFU: model FLOPs (2 per MAC of convolutions and linear layers, three times as many in training) against the "
        f"fastest matrix product measured beside: {peaks(rows)}.",
        "Memory: the most that torch held on the GPU; on the CPU the most that the process held, libraries included.",
    ]
    busy = {row.busy for row in rows if row.busy}
    if busy:
        said.append(f"* contended, no measurement to compare by: {'; '.join(sorted(busy))}.")
    if any(row.fitted for row in rows):
        said.append("A batch 'of' a larger one is what fitted the memory; it has no ratio to others.")
    return said


def peaks(rows: Sequence[Cost]) -> str:
    """The measured peaks, by precision."""
    by = {row.setting.precision: median(r.peak_flops for r in row.repeats) for row in rows if row.repeats}
    return ", ".join(f"{peak / 1e12:.3g} TFLOP/s in {precision}" for precision, peak in by.items())


def markdown(name: str, rows: Sequence[Cost], command: str) -> str:
    """The tables as a page."""
    text = [f"# Measured costs: {escaped(name)}", "", f"Made by `{command}`.", ""]
    for title, alike in titles(rows):
        text += [f"## {escaped(title)}", "", _row(HEADINGS), "| :-- | :-- |" + " --: |" * (len(HEADINGS) - 2)]
        text += [_row([escaped(cells(line)[0]), *map(unbroken, cells(line)[1:])]) for line in lines(alike)]
        text.append("")
    text += [f"{escaped(note)}\n" for note in notes(rows)]
    software = dict.fromkeys(str(row.conditions.get("software", "")) for row in rows)
    text += [f"Software: {'; '.join(map(escaped, software))}. Raw values: [costs.json](costs.json).", ""]
    return "\n".join(text)


def _row(content: Sequence[str]) -> str:
    return "| " + " | ".join(content) + " |"


def write_costs(name: str, rows: Sequence[Cost], directory: Path, command: str) -> Path:
    """README.md and costs.json in ``directory``; returns the first.

    Raises:
        HarnessError: The directory cannot be written to.
    """
    content = "[\n" + ",\n".join(row.model_dump_json(exclude_defaults=True) for row in rows) + "\n]\n"
    write_whole(directory / "costs.json", content.encode())
    write_whole(directory / "README.md", markdown(name, rows, code(command).strip("`")).encode())
    return directory / "README.md"
