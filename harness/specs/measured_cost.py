"""Measured costs: time, memory and energy of one variant under one setting, with every raw value.

Each repeat of a measurement runs in a process of its own.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from harness.specs.experiment.execution import Execution
from harness.specs.experiment.recipe import Recipe
from harness.specs.identity import Spec, digest
from harness.specs.network.any_variant import AnyVariant
from harness.specs.number_types import LARGE, Fraction, Positive
from harness.text import Line

FEWEST_REPEATS = 5
"""With fewer repeats there is no confidence interval, and reports show no cost (docs/costs.md)."""
CONDITIONS = ("device", "software", "precision", "memory_format", "kernels", "threads")
"""Recorded conditions that must be equal before two times are compared."""
Precision = Literal["fp32", "tf32", "bf16", "fp16"]
Seconds = Annotated[float, Field(ge=0)]
Bytes = Annotated[int, Field(ge=0)]
STEP_FIELDS = ("precision", "micro_batch", "optimiser", "momentum", "nesterov", "label_smoothing", "clip_grad_norm")
"""Fields of a recipe that change the time of a training step."""


class CostSetting(Spec):
    """The settings of a measurement. Times are comparable if these, the hardware and the software are equal."""

    device: Line = Field("cpu", description="Device: cpu, cuda or cuda:1.")
    batch: Annotated[int, Field(gt=0, lt=LARGE)] = 1
    size: tuple[int, int] = Field(description="Height and width of the images, in pixels.")
    precision: Precision = "fp32"
    micro_batch: Annotated[int, Field(gt=0, lt=LARGE)] | None = Field(
        None, description="Images that go through the network at once in training."
    )
    optimiser: Literal["sgd", "adamw"] = "sgd"
    momentum: Fraction = 0.9
    nesterov: bool = False
    label_smoothing: Fraction = 0.0
    clip_grad_norm: Positive | None = None
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    deterministic: bool = False
    compile: bool = False
    threads: Annotated[int, Field(gt=0, lt=LARGE)] = Field(1, description="Threads of the process, on a CPU.")

    @property
    def execution(self) -> Execution:
        """The execution settings of a trial with this setting."""
        return Execution(memory_format=self.memory_format, deterministic=self.deterministic, compile=self.compile)

    @property
    def recipe(self) -> Recipe:
        """A recipe with the same training step. Its learning rate changes no time."""
        step = {name: getattr(self, name) for name in STEP_FIELDS}
        # A recipe needs at least two images in a batch.
        return Recipe(epochs=1, batch=max(self.batch, 2), lr=1e-3, **step | {"micro_batch": None})

    @classmethod
    def of_trials(cls, recipe: Recipe, execution: Execution, **fields: Any) -> CostSetting:
        """Return the setting of a training step of trials with this recipe and these execution settings.

        Args:
            fields: Values of all other fields.
        """
        step = {name: getattr(recipe, name) for name in STEP_FIELDS}
        layout = {name: getattr(execution, name) for name in ("memory_format", "deterministic", "compile")}
        return cls.model_validate({**step, **layout, **fields})

    def is_step_of(self, recipe: Recipe) -> bool:
        """Return whether a training step under this setting equals a training step of ``recipe``."""
        return self.batch == recipe.batch and all(getattr(self, name) == getattr(recipe, name) for name in STEP_FIELDS)


class Phase(Spec):
    """Measured values of inference, or of training, in one process.

    Attributes:
        first_s: Seconds to the end of the first step, which includes compilation and the choice of kernels.
        turns: Seconds of each timed step, grouped by turn, without the warm-up and without the first step of a turn.
        device_bytes: Peak of the GPU memory that torch allocated; 0 on a CPU.
        host_bytes: Peak of the process's resident memory, up to the end of this phase.
        joules: Energy of one step by the device's own meter (NVML); None if it has no meter.
        busy: What else used the device at the same time, or why that is unknown; empty if the device was exclusive.
    """

    first_s: Seconds
    turns: Annotated[tuple[Annotated[tuple[Seconds, ...], Field(min_length=1)], ...], Field(min_length=1)]
    device_bytes: Bytes = 0
    host_bytes: Bytes = 0
    joules: Annotated[float, Field(ge=0)] | None = None
    busy: Line = ""


class Repeat(Spec):
    """The measurements of one process.

    Attributes:
        batch: Images in a step: the requested number, halved until the step fitted into memory.
        training: None if the network cannot be trained on this batch (BatchNorm of a single value).
        peak_flops: FLOPs per second of the fastest matrix product on this device, in the same precision.
        group: Number of the group of processes that took turns; None if this process ran alone.
        conditions: Hardware and software, recorded as for a trial.
        at: Time of the measurement in milliseconds since 1970.
    """

    batch: int
    inference: Phase
    training: Phase | None = None
    peak_flops: Annotated[float, Field(gt=0)]
    group: int | None = None
    conditions: dict[str, str | int] = Field({})
    at: int = 0

    @property
    def busy(self) -> str:
        """Other use of the device in one of its phases, in words; empty if the device was exclusive."""
        return self.inference.busy or (self.training.busy if self.training else "")


class MeasuredCost(Spec):
    """The measured cost of a variant: one row of a table, and one run of kind ``cost`` in the record.

    Attributes:
        label: Name of the row; a variant that is measured twice has two names.
        macs: Multiply-accumulates for one image.
        training_bytes: Expected memory of a training step in bytes; 0 if it is unknown.
        fitted: Images in a step, if the batch of the setting did not fit into memory.
    """

    label: Line
    variant: AnyVariant
    setting: CostSetting
    macs: int
    training_bytes: int = 0
    fitted: int | None = None
    repeats: tuple[Repeat, ...] = ()

    @property
    def key(self) -> str:
        """Hash of the variant and the setting."""
        return digest([self.variant.identity(), self.setting.identity()])

    @property
    def batch(self) -> int:
        """Images in a step."""
        return self.fitted or self.setting.batch

    @property
    def busy(self) -> str:
        """Other use of the device in some repeat, in words; empty if it was exclusive in all of them."""
        return next((repeat.busy for repeat in self.repeats if repeat.busy), "")

    @property
    def conditions(self) -> dict[str, str | int]:
        """Hardware and software of the first repeat: all repeats run on one machine."""
        return self.repeats[0].conditions if self.repeats else {}
