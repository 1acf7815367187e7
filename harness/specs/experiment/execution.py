"""How trials are executed: their resources, and the settings that change rounding only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from harness.specs.identity import Spec
from harness.specs.number_types import LARGE
from harness.text import Line

SMALLEST_SHARE = 1e-4
"""Smallest share of a GPU: Ray counts in ten-thousandths."""
SeedsTogether = Annotated[
    Literal["auto", "off"] | Annotated[int, Field(ge=2, le=64)],
    # In YAML a bare ``off`` is false.
    BeforeValidator(lambda value: "off" if value is False else value),
]


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
    seeds_together: SeedsTogether = Field(
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
