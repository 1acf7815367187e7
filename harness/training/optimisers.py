"""Optimisers, and learning-rate schedules as pure functions of the step: nothing to checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from harness.specs import Recipe


def build_optimiser(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimiser; weight decay acts on all parameters, as in He et al. 2015."""
    parameters = list(parameters)
    # The fused kernel leaves its momentum uninitialised where loss scaling skips the first step.
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
    """Learning rate of ``step`` (from 0).

    step: times ``decay`` at each milestone (He et al. 2015). cosine: half a period to zero (Loshchilov and
    Hutter 2017). one-cycle: from lr/25 up over 30 % of the budget, then down to zero, both as cosines
    (Smith 2018; momentum stays). Before all but one-cycle, a linear warm-up (Goyal et al. 2017).
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
            factor = _cosine(progress)
        case "one-cycle":
            low, rise = 1 / 25, 0.3
            rising = low + (1 - low) * (1 - _cosine(progress / rise))
            factor = rising if progress < rise else _cosine((progress - rise) / (1 - rise))
    return recipe.lr * factor


def _cosine(progress: float) -> float:
    """1 at progress 0, 0 at progress 1."""
    return 0.5 * (1 + math.cos(math.pi * progress))
