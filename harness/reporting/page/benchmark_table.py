"""The numbers of a table of measured costs: a row per variant and phase, with throughput, utilisation and ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log
from statistics import fmean, median
from typing import Literal

import numpy as np

from harness.reporting.statistics.intervals import Estimate, estimate_mean, estimate_ratio
from harness.specs.measured_cost import FEWEST_REPEATS, MeasuredCost, Phase
from harness.tracking.cost_metrics import list_phases, list_step_seconds, median_step_seconds

PhaseName = Literal["inference", "training"]
PHASES: tuple[PhaseName, ...] = ("inference", "training")
TRAINING_FLOPS_FACTOR = 3
"""FLOPs of a training step per FLOP of the forward pass.

The backward pass computes two more products of the same size: one for the gradient of the images, and one for the
gradient of the weights.
"""
FEWEST_STEPS = 20
"""Fewest timed steps per process for a 95th percentile; with fewer, it is almost the maximum."""


@dataclass(frozen=True)
class BenchmarkRow:
    """Inference or training of one variant in a table of measured costs.

    Attributes:
        step: Seconds of a step: the mean over processes of the median in each, with its interval.
        p95: Seconds: the median over processes of the 95th percentile in each; None with fewer than 20 steps.
        device_bytes: The most that torch held on the GPU; 0 on the CPU.
        host_bytes: The most that the process held in memory, its libraries included.
        first_step: Seconds of the first step, the mean over processes.
        utilisation: Model FLOPs per second over those of the fastest matrix product that the device was measured
            at. None for the training of a network of which only the head is trained.
        joules: Energy per image; None if the device has no meter.
        ratio: Time of a step relative to the first row of the same setting; None if the two are not comparable.
    """

    cost: MeasuredCost
    phase: PhaseName
    step: Estimate
    p95: float | None
    device_bytes: int
    host_bytes: int
    first_step: float
    utilisation: float | None
    joules: float | None
    ratio: Estimate | None

    @property
    def images_per_s(self) -> float:
        """Throughput in images per second."""
        return self.cost.batch / self.step.mean


def build_benchmark_rows(costs: Sequence[MeasuredCost]) -> list[BenchmarkRow]:
    """Return the rows of a table: inference and training of every measured cost.

    A network that cannot be trained on its batch has a row for inference only.
    """
    rows = []
    for cost in costs:
        first = next(other for other in costs if other.setting == cost.setting)
        rows += [_build_row(cost, phase, first) for phase in PHASES if list_phases(cost, phase)]
    return rows


def _build_row(cost: MeasuredCost, phase: PhaseName, first: MeasuredCost) -> BenchmarkRow:
    """Return the row of one phase; ``first`` is the cost that ratios refer to."""
    processes = list_phases(cost, phase)
    step = estimate_mean(median_step_seconds(cost, phase))
    joules = [process.joules for process in processes if process.joules is not None]
    has_few_steps = min(len(list_step_seconds(process)) for process in processes) < FEWEST_STEPS
    return BenchmarkRow(
        cost=cost,
        phase=phase,
        step=step,
        p95=None if has_few_steps else median(float(np.percentile(list_step_seconds(p), 95)) for p in processes),
        device_bytes=max(process.device_bytes for process in processes),
        host_bytes=max(process.host_bytes for process in processes),
        first_step=fmean(process.first_s for process in processes),
        utilisation=_compute_utilisation(cost, phase, step.mean),
        joules=fmean(joules) / cost.batch if joules else None,
        ratio=None if cost is first else compare_step_times(cost, first, phase),
    )


def _compute_utilisation(cost: MeasuredCost, phase: PhaseName, step_seconds: float) -> float | None:
    """Return model FLOPs per second (2 FLOPs per MAC) over the measured peak; None if only a head is trained."""
    is_training = phase == "training"
    if is_training and cost.variant.weights is not None and cost.variant.weights.freeze == "body":
        return None
    flops = 2 * cost.macs * cost.batch * (TRAINING_FLOPS_FACTOR if is_training else 1)
    return flops / step_seconds / peak_flops(cost)


def peak_flops(cost: MeasuredCost) -> float:
    """Return FLOPs per second of the fastest matrix product, the median over processes."""
    return median(repeat.peak_flops for repeat in cost.repeats)


def compare_step_times(cost: MeasuredCost, other: MeasuredCost, phase: PhaseName) -> Estimate | None:
    """Return the time of a step relative to another row's, as the mean of ratios of paired processes.

    The interval needs at least 5 pairs. Return None if batch, conditions or the number of processes differ, or if
    there is a single process.
    """
    a, b = list_phases(cost, phase), list_phases(other, phase)
    if cost.batch != other.batch or cost.conditions != other.conditions or len(a) != len(b) or len(a) < 2:
        return None
    groups = [(x.group, y.group) for x, y in zip(cost.repeats, other.repeats, strict=True)]
    ratios = [
        _compare_processes(x, y, alternated=group is not None and group == other_group)
        for x, y, (group, other_group) in zip(a, b, groups, strict=True)
    ]
    ratio = estimate_ratio(ratios, [1.0] * len(ratios))
    return ratio if len(ratios) >= FEWEST_REPEATS else replace(ratio, low=None, high=None)


def _compare_processes(a: Phase, b: Phase, alternated: bool) -> float:
    """Return the ratio of the step times of two processes.

    If their turns alternated, it is the median over pairs of turns, because a disturbance slows both turns of a pair.
    """
    if not alternated or len(a.turns) != len(b.turns):
        return median(list_step_seconds(a)) / median(list_step_seconds(b))
    return exp(median(log(median(x) / median(y)) for x, y in zip(a.turns, b.turns, strict=True)))
