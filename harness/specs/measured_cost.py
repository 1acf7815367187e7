"""A measured cost: of one variant under one setting, repeated in processes of their own, every raw value kept."""

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
"""Processes below which there is no interval, and no report shows a cost (docs/costs.md)."""
CONDITIONS = ("device", "software", "precision", "memory_format", "kernels", "threads")
"""What has to be equal for times to be comparable, as trials and measurements record it."""
Precision = Literal["fp32", "tf32", "bf16", "fp16"]
Seconds = Annotated[float, Field(ge=0)]
Bytes = Annotated[int, Field(ge=0)]


STEP = ("precision", "micro_batch", "optimiser", "momentum", "nesterov", "label_smoothing", "clip_grad_norm")
"""Fields of a recipe that a training step takes time for."""


class CostSetting(Spec):
    """All that rows of times must share to be comparable, beside the hardware and the software."""

    device: Line = Field("cpu", description="cpu, cuda or cuda:1.")
    batch: Annotated[int, Field(gt=0, lt=LARGE)] = 1
    size: tuple[int, int] = Field(description="Height and width of the images, in pixels.")
    precision: Precision = "fp32"
    micro_batch: Annotated[int, Field(gt=0, lt=LARGE)] | None = Field(
        None, description="Images that go through the network at once, in training."
    )
    optimiser: Literal["sgd", "adamw"] = "sgd"
    momentum: Fraction = 0.9
    nesterov: bool = False
    label_smoothing: Fraction = 0.0
    clip_grad_norm: Positive | None = None
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    deterministic: bool = False
    compile: bool = False
    threads: Annotated[int, Field(gt=0, lt=LARGE)] = Field(1, description="Of the process, on the CPU.")

    @property
    def execution(self) -> Execution:
        """As a trial has it."""
        return Execution(memory_format=self.memory_format, deterministic=self.deterministic, compile=self.compile)

    @property
    def recipe(self) -> Recipe:
        """A recipe of such steps. Its learning rate changes no time; a batch of one image is no recipe's."""
        step = {name: getattr(self, name) for name in STEP}
        return Recipe(epochs=1, batch=max(self.batch, 2), lr=1e-3, **step | {"micro_batch": None})

    @classmethod
    def of_trials(cls, recipe: Recipe, execution: Execution, **fields: Any) -> CostSetting:
        """As trials of that recipe take their steps."""
        step = {name: getattr(recipe, name) for name in STEP}
        layout = {name: getattr(execution, name) for name in ("memory_format", "deterministic", "compile")}
        return cls.model_validate({**step, **layout, **fields})

    def is_step_of(self, recipe: Recipe) -> bool:
        """Whether a training step here is one of that recipe."""
        return self.batch == recipe.batch and all(getattr(self, name) == getattr(recipe, name) for name in STEP)


class Phase(Spec):
    """What inference, or training, of one process took.

    Attributes:
        first_s: Seconds to the end of the first step, which compiles, and chooses kernels.
        turns: Seconds of every timed step, by turn; the warm-up is not among them, nor the first step of a turn.
        device_bytes: Most that torch held allocated on a GPU; 0 on the CPU, whose memory is the host's.
        host_bytes: Most that the process ever held resident, up to the end of the phase.
        joules: Of one step, by the device's own meter (NVML); None where it has none.
        busy: What else used the device meanwhile, in words, or why nobody can tell; empty for an exclusive one.
    """

    first_s: Seconds
    turns: Annotated[tuple[Annotated[tuple[Seconds, ...], Field(min_length=1)], ...], Field(min_length=1)]
    device_bytes: Bytes = 0
    host_bytes: Bytes = 0
    joules: Annotated[float, Field(ge=0)] | None = None
    busy: Line = ""


class Repeat(Spec):
    """One process.

    Attributes:
        batch: Images at once: what was asked for, halved until it fitted.
        training: None where the network cannot be trained on such a batch (BatchNorm of a single value).
        peak_flops: FLOPs per second of the fastest matrix product here, in the same precision.
        group: Number of the processes that took turns; None where this one was alone.
        conditions: Hardware and software, as a trial records them.
        at: Milliseconds since 1970.
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
        """Of its phases."""
        return self.inference.busy or (self.training.busy if self.training else "")


class MeasuredCost(Spec):
    """The measured cost of a variant: a row of a table, a run of kind ``cost`` in the record.

    Attributes:
        label: What the row is called; a variant that is measured twice has two.
        macs: Of one image.
        training_bytes: What a training step is expected to take, in bytes; 0 where nobody knows.
        fitted: Images at once, where those of the setting did not fit the memory.
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
        """Hash of what was measured, under which settings."""
        return digest([self.variant.identity(), self.setting.identity()])

    @property
    def batch(self) -> int:
        """Images at once."""
        return self.fitted or self.setting.batch

    @property
    def busy(self) -> str:
        """What else used the device in some repeat; empty where it was exclusive in all."""
        return next((repeat.busy for repeat in self.repeats if repeat.busy), "")

    @property
    def conditions(self) -> dict[str, str | int]:
        """Hardware and software: those of its first repeat, as all are made in one place."""
        return self.repeats[0].conditions if self.repeats else {}
