"""How a network is trained, on what, and with which resources."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from harness.specs.identity import Spec
from harness.text import Line, Place

Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
LARGE = 2**31
"""No count of images, cores or epochs comes near; beyond it torch, Ray and the clocks' integers overflow."""
Together = Annotated[
    Literal["auto", "off"] | Annotated[int, Field(ge=2, le=64)],
    BeforeValidator(lambda value: "off" if value is False else value),
]
"""In YAML a bare ``off`` is false."""
SMALLEST_SHARE = 1e-4
"""Of a GPU: Ray counts in ten-thousandths."""


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


class DataSpec(Spec):
    """A data set and its splits. The split has its own seed, never the trial's."""

    labels: ClassVar[frozenset[str]] = frozenset({"root"})

    name: Line = Field(description="digits, fashion-mnist, cifar10, cifar100, or imagefolder.")
    root: Place | None = Field(None, description="Where its files are; not part of the identity.")
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Held out for testing, where the data set has no test split of its own."
    )
    val_fraction: Fraction = Field(0.0, description="Held out of training for selection.")
    train_images: Annotated[int, Field(gt=1, lt=LARGE)] | None = Field(
        None, description="Train on a stratified subset of this size (smoke runs, small budgets)."
    )
    image_size: Annotated[int, Field(ge=4, le=4096)] | None = Field(
        None, description="imagefolder: side in pixels after resizing and centre cropping (default 64)."
    )
    fingerprint: Line | None = Field(
        None, description="Content hash, where the data is only on the workers; each of them verifies it."
    )


class Resources(Spec):
    """What one trial gets. Not part of any identity."""

    cpus: Annotated[int, Field(gt=0, lt=LARGE)] = Field(1, description="Cores, and threads, of each worker.")
    gpus: Annotated[float, Field(ge=0)] = Field(0.0, description="GPUs of each worker; fractions share one.")
    workers: Annotated[int, Field(gt=0, le=1024)] = Field(
        1, description="Processes that train one trial together, each on its share of every batch."
    )
    accelerator: Annotated[Line, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] | None = Field(
        None, description="Kind of GPU, as Ray names it: H200, A100, T4. Trials run on no other."
    )
    max_concurrent: Annotated[int, Field(gt=0, lt=LARGE)] | None = Field(None, description="Most trials at once.")

    @model_validator(mode="after")
    def _whole_gpus(self) -> Resources:
        if self.gpus > 1:
            raise ValueError(
                f"gpus is {self.gpus:g}: a worker runs on one GPU, or a fraction of one; for {self.gpus:g} GPUs write "
                f"gpus: 1, workers: {max(round(self.gpus), 2)}"
            )
        if 0 < self.gpus < SMALLEST_SHARE:
            raise ValueError(f"gpus is {self.gpus:g}: the smallest share of a GPU is {SMALLEST_SHARE:g}")
        if self.workers > 1 and 0 < self.gpus < 1:
            raise ValueError(f"gpus is {self.gpus:g}: each of {self.workers} workers needs a GPU of its own, gpus: 1")
        if self.accelerator is not None and not self.gpus:
            raise ValueError(f"accelerator {self.accelerator} goes with gpus above 0")
        return self


class Execution(Spec):
    """Settings that change rounding or what is recorded, never the question. Recorded as provenance."""

    memory_format: Literal["auto", "contiguous", "channels_last"] = Field(
        "auto", description="auto: channels_last on GPUs, and on CPUs where all variants are wide (Study.execution)."
    )
    deterministic: bool = Field(True, description="Deterministic kernels; false lets cuDNN choose by timing.")
    compile: bool = Field(False, description="torch.compile; pays on GPUs for long trials only.")
    seeds_together: Together = Field(
        "off",
        description="Seeds of one variant trained in one process as one network of so many groups, on CPUs: small "
        "networks take less time so. auto: where that was measured to pay. off: each alone.",
    )
    evaluate_every: Annotated[int, Field(gt=0, lt=LARGE)] = Field(
        1, description="Epochs between evaluations; the last epoch is always evaluated."
    )
    checkpoint_seconds: Annotated[float, Field(ge=0, lt=LARGE)] = Field(
        10.0, description="Time between checkpoints, which are written between two steps."
    )
    drain_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        10.0, description="How long a finished trial waits for the store to take its history; its journal keeps it."
    )
    log_model: bool = Field(
        False, description="Keep each trained network in MLflow as a model that can be loaded; needs a store."
    )
    system_metrics: bool = Field(
        False, description="MLflow samples the load of processor, memory and GPU for each trial; needs psutil."
    )
