"""Measured costs: their form in the record, their means as metrics, and which of them belong to a trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean, median, stdev
from typing import Any, Literal

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.specs import Recipe, ResolvedExperiment
from harness.specs.measured_cost import CONDITIONS, FEWEST_REPEATS, MeasuredCost, Phase
from harness.specs.network.any_variant import AnyVariant
from harness.tracking.metrics import (
    BENCHMARK_CONTENDED,
    BENCHMARK_DEVICE_BYTES,
    BENCHMARK_HOST_BYTES,
    BENCHMARK_PROCESSES,
    BENCHMARK_THROUGHPUT,
    BENCHMARK_TRAINING_THROUGHPUT,
    FIRST_STEP_SECONDS,
    LATENCY,
    LATENCY_PROCESSES,
    LATENCY_SD,
    MACS,
    STEP_PEAK_BYTES,
    STEP_PROCESSES,
    STEP_SD,
    STEP_SECONDS,
)

COSTS_EXPERIMENT = "measured costs"
"""The MLflow experiment of costs that belong to no experiment; no experiment can have this name."""
PhaseName = Literal["inference", "training"]


def parse_cost(content: bytes, where: str) -> MeasuredCost:
    """Return a measured cost from its JSON.

    Raises:
        HarnessError: It is not a measured cost, or not one that this version can read.
    """
    try:
        return MeasuredCost.model_validate_json(content)
    except ValidationError as error:
        raise HarnessError(
            "this version cannot read this measured cost",
            where=where,
            remedy="Upgrade depthbench, or delete that run and measure again with harness bench.",
        ) from error


def list_phases(cost: MeasuredCost, name: PhaseName) -> list[Phase]:
    """Return a phase as each process measured it; empty where the network cannot be trained on such a batch."""
    return [phase for repeat in cost.repeats if (phase := getattr(repeat, name)) is not None]


def list_step_seconds(phase: Phase) -> list[float]:
    """Return the seconds of every timed step of one process, in order."""
    return [seconds for turn in phase.turns for seconds in turn]


def median_step_seconds(cost: MeasuredCost, name: PhaseName) -> list[float]:
    """Return the median seconds of a step, one value for each process."""
    return [median(list_step_seconds(phase)) for phase in list_phases(cost, name)]


def summarise_cost(cost: MeasuredCost) -> dict[str, float]:
    """Return the metrics of a measured cost's run in MLflow: means over its processes, by key."""
    inference, training = list_phases(cost, "inference"), list_phases(cost, "training")
    latency = fmean(median_step_seconds(cost, "inference"))
    metrics = {
        LATENCY: latency,
        BENCHMARK_THROUGHPUT: cost.batch / latency,
        FIRST_STEP_SECONDS: fmean(phase.first_s for phase in inference),
        BENCHMARK_HOST_BYTES: float(max(phase.host_bytes for phase in inference + training)),
        BENCHMARK_PROCESSES: float(len(cost.repeats)),
        BENCHMARK_CONTENDED: float(bool(cost.busy)),
        MACS: float(cost.macs),
    }
    if training:
        step = fmean(median_step_seconds(cost, "training"))
        metrics |= {STEP_SECONDS: step, BENCHMARK_TRAINING_THROUGHPUT: cost.batch / step}
    if any(phase.device_bytes for phase in inference + training):
        metrics[BENCHMARK_DEVICE_BYTES] = float(max(phase.device_bytes for phase in inference + training))
    return metrics


def select_trial_costs(
    variant: AnyVariant,
    recipe: Recipe,
    provenance: Mapping[str, Any],
    study: ResolvedExperiment,
    costs: Iterable[MeasuredCost],
) -> dict[str, float]:
    """Return, by metric key, the costs of a trial's variant that were measured under the conditions of the trial.

    The latency is that of one image, and the training step is a step of the trial's recipe. A measurement counts only
    with the trial's hardware, software and settings, at least :data:`FEWEST_REPEATS` processes, and a device that no
    other process used. The newest one counts.

    Args:
        costs: Measured costs, oldest first.
    """
    selected: dict[str, float] = {}
    for cost in costs:
        if not _has_conditions(cost, variant, provenance, study):
            continue
        if cost.batch == 1:
            seconds = median_step_seconds(cost, "inference")
            selected |= dict(zip((LATENCY, LATENCY_SD, LATENCY_PROCESSES), _describe_sample(seconds), strict=True))
        if cost.setting.is_step_of(recipe) and cost.fitted is None and list_phases(cost, "training"):
            seconds = median_step_seconds(cost, "training")
            selected |= dict(zip((STEP_SECONDS, STEP_SD, STEP_PROCESSES), _describe_sample(seconds), strict=True))
            peaks = (phase.device_bytes or phase.host_bytes for phase in list_phases(cost, "training"))
            selected[STEP_PEAK_BYTES] = float(max(peaks))
    return selected


def _has_conditions(
    cost: MeasuredCost, variant: AnyVariant, provenance: Mapping[str, Any], study: ResolvedExperiment
) -> bool:
    """Return whether a cost was measured for this variant, alone on the device and under a trial's conditions."""
    if cost.busy or len(cost.repeats) < FEWEST_REPEATS or cost.setting.size != study.data.size:
        return False
    has_equal_conditions = all(cost.conditions.get(key) == provenance.get(key) for key in CONDITIONS)
    return has_equal_conditions and cost.variant.identity() == variant.identity()


def _describe_sample(values: list[float]) -> tuple[float, float, float]:
    """Return mean, standard deviation and number of values."""
    return fmean(values), stdev(values), float(len(values))
