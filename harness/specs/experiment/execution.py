"""The execution of trials: their resources, and the settings that change rounding only."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from harness.specs.identity import Spec
from harness.specs.number_types import LARGE
from harness.text import Line

SMALLEST_SHARE = 1e-4
"""Smallest share of a GPU: Ray counts in ten-thousandths."""
SeedsTogether = Annotated[
    Literal["auto", "off"] | Annotated[int, Field(ge=2, le=64)],
    # In YAML 1.1 ``off`` without quotes is false; records of earlier versions may hold that.
    BeforeValidator(lambda value: "off" if value is False else value),
]


class Resources(Spec):
    """The processors that one trial uses. They are not part of its identity."""

    example: ClassVar[str] = "{cpus: 1, gpus: 0}"

    cpus: Annotated[int, Field(gt=0, lt=LARGE)] = Field(1, description="CPU cores, and threads, of each worker.")
    gpus: Annotated[float, Field(ge=0)] = Field(
        0.0, description="GPUs of each worker: 0, 1, or the fraction of a GPU that it shares with others."
    )
    workers: Annotated[int, Field(gt=0, le=1024)] = Field(
        1, description="Processes that train one trial together, each on an equal part of every batch."
    )
    accelerator: Annotated[Line, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] | None = Field(
        None, description="Kind of GPU that trials need, by its name in Ray: H200, A100, T4."
    )
    max_concurrent: Annotated[int, Field(gt=0, lt=LARGE)] | None = Field(
        None, description="Largest number of trials at once."
    )

    @model_validator(mode="after")
    def _whole_gpus(self) -> Resources:
        if self.gpus > 1:
            raise ValueError(
                f"gpus is {self.gpus:g}, and a worker uses at most one GPU: for {self.gpus:g} GPUs write gpus: 1, "
                f"workers: {max(round(self.gpus), 2)}"
            )
        if 0 < self.gpus < SMALLEST_SHARE:
            raise ValueError(f"gpus is {self.gpus:g}, and the smallest share of a GPU is {SMALLEST_SHARE:g}: use more")
        if self.workers > 1 and 0 < self.gpus < 1:
            raise ValueError(
                f"gpus is {self.gpus:g}, and each of {self.workers} workers needs a whole GPU: write gpus: 1"
            )
        if self.accelerator is not None and not self.gpus:
            raise ValueError(f"accelerator is {self.accelerator}, and gpus is 0: set gpus, or remove accelerator")
        return self


class Execution(Spec):
    """Settings that change rounding or what is recorded. They are not part of any identity, but are recorded."""

    example: ClassVar[str] = "{seeds_together: auto}"

    memory_format: Literal["auto", "contiguous", "channels_last"] = Field(
        "auto", description="auto: channels_last on GPUs, and on CPUs if all variants are wide enough to gain by it."
    )
    deterministic: bool = Field(
        True, description="Use deterministic kernels. false: cuDNN measures its kernels and takes the fastest."
    )
    compile: bool = Field(False, description="Use torch.compile; it saves time only in long trials on GPUs.")
    seeds_together: SeedsTogether = Field(
        "off",
        description="Seeds of one variant that are trained as one network in one process, on CPUs; this is faster for "
        "small networks. auto: where measurements show that it is faster. off: each seed by itself.",
    )
    evaluate_every: Annotated[int, Field(gt=0, lt=LARGE)] = Field(
        1, description="Epochs from one evaluation to the next; the last epoch is always evaluated."
    )
    checkpoint_seconds: Annotated[float, Field(ge=0, lt=LARGE)] = Field(
        10.0, description="Seconds from one checkpoint to the next; a checkpoint is written between two training steps."
    )
    drain_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        10.0,
        description="Seconds that a finished trial waits for the tracking store to take its history. Its "
        "checkpoint keeps the history in any case.",
    )
    log_model: bool = Field(
        False, description="Save each trained network in MLflow as a model; needs a tracking store."
    )
    system_metrics: bool = Field(False, description="MLflow samples the load of CPU, memory and GPU during each trial.")
