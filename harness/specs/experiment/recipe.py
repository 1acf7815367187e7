"""The recipe: how a network is trained."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from harness.specs.identity import Spec
from harness.specs.number_types import LARGE, Fraction, Positive


class Recipe(Spec):
    """All settings of training that change results. All variants of an experiment share one recipe."""

    example: ClassVar[str] = "{epochs: 10, batch: 128, lr: 0.1}"

    epochs: Annotated[int, Field(gt=0, le=1_000_000)] = Field(description="Training budget of every trial.")
    batch: Annotated[int, Field(gt=1, lt=LARGE)] = Field(
        description="Images in a step; BatchNorm normalises over these."
    )
    micro_batch: Annotated[int, Field(gt=1, lt=LARGE)] | None = Field(
        None,
        description="Images that go through the network at once, if a batch does not fit into memory. The gradients "
        "add up to one step for each batch; BatchNorm normalises over the micro-batch.",
    )
    worker_batch: Annotated[int, Field(gt=1, lt=LARGE)] | None = Field(
        None,
        description="Images of each batch on one worker, if a trial has several (resources.workers). BatchNorm "
        "normalises over these.",
    )
    sync_norm: bool = Field(
        False,
        description="BatchNorm normalises over the whole batch on all workers of a trial (SyncBatchNorm); GPUs only.",
    )
    optimiser: Literal["sgd", "adamw"] = "sgd"
    lr: Positive = Field(description="Peak learning rate.")
    momentum: Fraction = Field(0.9, description="For optimiser sgd: the momentum.")
    nesterov: bool = Field(False, description="For optimiser sgd: whether to use Nesterov momentum.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        1e-4, description="Applied to all parameters, as in He et al. 2015."
    )
    schedule: Literal["constant", "step", "cosine", "one-cycle"] = "cosine"
    milestones: tuple[Fraction, ...] = Field(
        (0.5, 0.75), description="For schedule step: fractions of the epochs at which the learning rate falls."
    )
    decay: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="For schedule step: factor on the learning rate at each milestone."
    )
    warmup_epochs: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Epochs in which the learning rate rises linearly from zero to lr."
    )
    label_smoothing: Fraction = 0.0
    clip_grad_norm: Positive | None = Field(None, description="Largest norm of the gradient over all parameters.")
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = Field(
        "fp32",
        description="fp32 runs everywhere. tf32, bf16 (autocast) and fp16 (with loss scaling) need a GPU that supports "
        "it.",
    )
    augment: Literal["none", "crop", "crop-flip", "resized-crop-flip"] = Field(
        "none",
        description="crop: pad, then crop at a random place. flip: mirror left-right at random. resized-crop-flip: "
        "crop a part of random size from the file of each image; for image folders.",
    )
    crop_padding: Annotated[int, Field(gt=0, lt=LARGE)] = Field(
        4, description="For augment crop and crop-flip: pixels of padding on each side."
    )

    @model_validator(mode="after")
    def _fields_agree(self) -> Recipe:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs ({self.warmup_epochs:g}) must be less than epochs ({self.epochs})")
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise ValueError(f"micro_batch ({self.micro_batch}) must divide batch ({self.batch})")
        if self.worker_batch is not None and self.batch % self.worker_batch:
            raise ValueError(f"worker_batch ({self.worker_batch}) must divide batch ({self.batch})")
        if self.sync_norm and self.micro_batch is not None:
            raise ValueError(
                "sync_norm normalises over the whole batch and micro_batch over a part of it: use only one"
            )
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones must rise, as in [0.5, 0.75]")
        if self.nesterov and (self.optimiser != "sgd" or self.momentum == 0):
            raise ValueError("nesterov needs optimiser sgd with a momentum above 0")
        if self.schedule == "one-cycle" and self.warmup_epochs:
            raise ValueError("schedule one-cycle has its own warm-up: remove warmup_epochs")
        return self
