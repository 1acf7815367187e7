"""A rough estimate of how long a trial takes, before anything is measured."""

from __future__ import annotations

from functools import lru_cache

from harness.costs.complexity import compute_static_costs
from harness.data.description import count_steps_per_epoch
from harness.specs import ResolvedExperiment, Trial
from harness.specs.network.any_variant import AnyVariant

SECONDS_PER_LAYER = {"cpu": 4e-4, "gpu": 1.5e-4}
"""Time to dispatch one layer in a training step, forward and backward."""
MACS_PER_SECOND = {"cpu": 1.5e10, "gpu": 1e13}
"""Arithmetic rate of a training step, per CPU core or per GPU."""


def estimate_seconds(trial: Trial, study: ResolvedExperiment) -> float:
    """Estimate the seconds of training and evaluation that a whole trial takes.

    The planner corrects this estimate by the recorded times as soon as there are some.
    """
    resources, recipe = study.experiment.resources, trial.recipe
    data = study.view_of(trial).data
    _, macs = network_costs(trial.variant, data.size)
    device = "gpu" if resources.gpus else "cpu"
    devices_per_worker = min(resources.gpus, 1) if resources.gpus else resources.cpus
    rate = MACS_PER_SECOND[device] * devices_per_worker * resources.workers
    dispatch = SECONDS_PER_LAYER[device] * trial.variant.depth
    # A backward pass takes about twice the arithmetic of a forward pass.
    step = dispatch + 3 * recipe.batch * macs / rate
    steps = count_steps_per_epoch(data.train, recipe.batch)
    evaluated = (data.train + data.val + data.test) / study.experiment.execution.evaluate_every
    evaluation = evaluated * macs / rate + dispatch
    return recipe.epochs * (steps * step + evaluation)


@lru_cache(maxsize=1024)
def network_costs(variant: AnyVariant, size: tuple[int, int]) -> tuple[int, int]:
    """Return (parameters, MACs per image) of a variant; cached because expanding a deep variant is slow.

    Args:
        size: Height and width of the images.
    """
    costs = compute_static_costs(variant, size)
    return costs.params, costs.macs
