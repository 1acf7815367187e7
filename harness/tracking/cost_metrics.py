"""Measured costs in the record: what of them is charted, and which of them belong beside a trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean, median, stdev
from typing import Any, Literal

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.specs import Recipe, ResolvedExperiment
from harness.specs.measured_cost import CONDITIONS, FEWEST_REPEATS, MeasuredCost, Phase
from harness.specs.network.any_variant import AnyVariant

ELSEWHERE = "measured costs"
"""The MLflow experiment of costs that belong to no experiment; no experiment can have this name."""


def parse_cost(content: bytes, where: str) -> MeasuredCost:
    """A measurement as it was recorded.

    Raises:
        HarnessError: It is none, or of a version that this one does not know.
    """
    try:
        return MeasuredCost.model_validate_json(content)
    except ValidationError as error:
        raise HarnessError(
            "it holds no measured cost that this version can read",
            where=where,
            remedy="Upgrade depthbench, or delete that run and measure again with harness bench.",
        ) from error


def phases(cost: MeasuredCost, name: Literal["inference", "training"]) -> list[Phase]:
    """Of each process; none where the network cannot be trained on such a batch."""
    return [phase for repeat in cost.repeats if (phase := getattr(repeat, name)) is not None]


def step_seconds(phase: Phase) -> list[float]:
    """Every timed step of a process, in order."""
    return [seconds for turn in phase.turns for seconds in turn]


def medians(cost: MeasuredCost, name: Literal["inference", "training"]) -> list[float]:
    """Seconds of a step, the median of each process."""
    return [median(step_seconds(phase)) for phase in phases(cost, name)]


def cost_figures(cost: MeasuredCost) -> dict[str, float]:
    """What MLflow shows of a run of kind ``cost``; means over its processes."""
    inference, training = phases(cost, "inference"), phases(cost, "training")
    found = {
        "bench/latency_s": fmean(medians(cost, "inference")),
        "bench/images_per_s": cost.batch / fmean(medians(cost, "inference")),
        "bench/first_step_s": fmean(phase.first_s for phase in inference),
        "bench/host_bytes": float(max(phase.host_bytes for phase in inference + training)),
        "bench/processes": float(len(cost.repeats)),
        "bench/contended": float(bool(cost.busy)),
        "cost/macs": float(cost.macs),
    }
    if training:
        found["bench/step_s"] = fmean(medians(cost, "training"))
        found["bench/train_images_per_s"] = cost.batch / found["bench/step_s"]
    if any(phase.device_bytes for phase in inference + training):
        found["bench/device_bytes"] = float(max(phase.device_bytes for phase in inference + training))
    return found


def costs_for_trial(
    variant: AnyVariant,
    recipe: Recipe,
    provenance: Mapping[str, Any],
    study: ResolvedExperiment,
    costs: Iterable[MeasuredCost],
) -> dict[str, Any]:
    """The measured costs of a trial's variant, by metric key: at equal hardware, software and settings, or none.

    Latency is of one image; a training step is one of the trial's recipe. A measurement of fewer than five processes,
    or one that may have shared its device, is none. Of several, the newest counts.
    """
    found: dict[str, Any] = {}
    for cost in costs:
        equal = all(cost.conditions.get(key) == provenance.get(key) for key in CONDITIONS)
        if cost.busy or not equal or cost.setting.size != study.data.size or len(cost.repeats) < FEWEST_REPEATS:
            continue
        if cost.variant.identity() != variant.identity():
            continue
        if cost.batch == 1:
            found |= _mean("bench/latency", medians(cost, "inference"))
        if cost.setting.is_step_of(recipe) and cost.fitted is None and phases(cost, "training"):
            found |= _mean("bench/step", medians(cost, "training"))
            held = (phase.device_bytes or phase.host_bytes for phase in phases(cost, "training"))
            found["bench/peak_bytes"] = float(max(held))
    return found


def _mean(key: str, values: list[float]) -> dict[str, float]:
    return {f"{key}_s": fmean(values), f"{key}_sd_s": stdev(values), f"{key}_n": float(len(values))}
