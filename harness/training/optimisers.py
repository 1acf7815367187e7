"""Optimisers, and learning rates as pure functions of the step, which leave nothing to save in a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from harness.specs import Recipe


def build_optimiser(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the recipe's optimiser; weight decay acts on all parameters, as in He et al. 2015."""
    parameters = list(parameters)
    # With loss scaling, which may skip the first step, the fused kernel would leave its momentum uninitialised.
    fused = recipe.precision != "fp16"
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.SGD(
        parameters,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        fused=fused,
    )


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step.

    All schedules but one-cycle begin with a linear warm-up (Goyal et al. 2017). After it:

    - step: the rate is multiplied by ``decay`` at each milestone (He et al. 2015).
    - cosine: half a period of a cosine, down to zero (Loshchilov and Hutter 2017).
    - one-cycle: up from lr/25 during 30 % of the steps, then down to zero, both along a cosine (Smith 2018, but with
      constant momentum).

    Args:
        recipe: Declares the schedule.
        step: The number of the step in the trial, from 0.
        steps_per_epoch: Steps of an epoch.
    """
    total = recipe.epochs * steps_per_epoch
    warmup = round(recipe.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return recipe.lr * (step + 1) / warmup
    progress = (step - warmup) / max(total - warmup, 1)
    match recipe.schedule:
        case "constant":
            factor = 1.0
        case "step":
            factor = recipe.decay ** sum(step >= milestone * total for milestone in recipe.milestones)
        case "cosine":
            factor = _half_cosine(progress)
        case "one-cycle":
            low, rise = 1 / 25, 0.3
            rising = low + (1 - low) * (1 - _half_cosine(progress / rise))
            factor = rising if progress < rise else _half_cosine((progress - rise) / (1 - rise))
    return recipe.lr * factor


def _half_cosine(progress: float) -> float:
    """Return 1 at progress 0, falling along a cosine to 0 at progress 1."""
    return 0.5 * (1 + math.cos(math.pi * progress))
