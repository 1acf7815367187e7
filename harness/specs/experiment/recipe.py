"""The recipe: how a network is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.specs.identity import Spec
from harness.specs.number_types import LARGE, Fraction, Positive


class Recipe(Spec):
    """Everything about training that changes results. All variants of an experiment share it."""

    epochs: Annotated[int, Field(gt=0, le=1_000_000)] = Field(description="The budget, fixed beforehand.")
    batch: Annotated[int, Field(gt=1, lt=LARGE)] = Field(description="Images in a step; BatchNorm sees exactly these.")
    micro_batch: Annotated[int, Field(gt=1, lt=LARGE)] | None = Field(
        None,
        description="Images that go through the network at once, where a whole batch does not fit the memory: "
        "gradients add up to one step per batch, and BatchNorm sees these.",
    )
    worker_batch: Annotated[int, Field(gt=1, lt=LARGE)] | None = Field(
        None,
        description="Images of each batch that one worker takes, where a trial has several (resources.workers): "
        "BatchNorm sees these.",
    )
    sync_norm: bool = Field(
        False, description="BatchNorm sees the whole batch over all workers of a trial (SyncBatchNorm); on GPUs only."
    )
    optimiser: Literal["sgd", "adamw"] = "sgd"
    lr: Positive = Field(description="Peak learning rate.")
    momentum: Fraction = Field(0.9, description="For sgd.")
    nesterov: bool = Field(False, description="For sgd.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(1e-4, description="On all parameters, as in He et al.")
    schedule: Literal["constant", "step", "cosine", "one-cycle"] = "cosine"
    milestones: tuple[Fraction, ...] = Field((0.5, 0.75), description="For step: shares of the budget.")
    decay: Annotated[float, Field(gt=0, lt=1)] = Field(0.1, description="For step: factor at each milestone.")
    warmup_epochs: Annotated[float, Field(ge=0)] = Field(0.0, description="Linear from zero to lr.")
    label_smoothing: Fraction = 0.0
    clip_grad_norm: Positive | None = Field(None, description="Largest norm of the whole gradient.")
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = Field(
        "fp32", description="Declared, never guessed. tf32, bf16 (autocast) and fp16 (with loss scaling) need a device."
    )
    augment: Literal["none", "crop", "crop-flip", "resized-crop-flip"] = Field(
        "none",
        description="crop: pad, then crop at random. flip: left-right. resized-crop-flip: for image folders.",
    )
    crop_padding: Annotated[int, Field(gt=0, lt=LARGE)] = Field(4, description="Pixels on each side, for crop.")

    @model_validator(mode="after")
    def _fields_agree(self) -> Recipe:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs ({self.warmup_epochs:g}) must be less than epochs ({self.epochs})")
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise ValueError(f"micro_batch ({self.micro_batch}) must divide batch ({self.batch})")
        if self.worker_batch is not None and self.batch % self.worker_batch:
            raise ValueError(f"worker_batch ({self.worker_batch}) must divide batch ({self.batch})")
        if self.sync_norm and self.micro_batch is not None:
            raise ValueError("with sync_norm BatchNorm sees the whole batch, which micro_batch takes apart: choose one")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones must rise")
        if self.nesterov and (self.optimiser != "sgd" or self.momentum == 0):
            raise ValueError("nesterov needs optimiser sgd with a momentum above 0")
        if self.schedule == "one-cycle" and self.warmup_epochs:
            raise ValueError("one-cycle brings a warm-up of its own: leave warmup_epochs out")
        return self
