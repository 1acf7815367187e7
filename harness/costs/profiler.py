"""Latency, memory and energy of one variant on a device, measured once in a process of its own.

Networks that share a process distort each other's times (allocator, choice of kernels, caches). The program that runs
this once is :mod:`harness.costs.profiler_process`.
"""

from __future__ import annotations

import time
from collections.abc import Generator

import torch

from harness.costs.contention import GpuContention
from harness.costs.peak_flops import measure_peak_flops
from harness.costs.step_timer import Step, StepTimer
from harness.errors import HarnessError
from harness.models import build
from harness.models.auxiliary import compute_losses
from harness.processes import peak_resident_bytes
from harness.specs.measured_cost import CONDITIONS, CostSetting, Phase, Repeat
from harness.specs.network.any_variant import AnyVariant
from harness.training.device import (
    autocast,
    configure_process,
    describe_device,
    describe_kernels,
    parse_device,
    require_precision,
)
from harness.training.memory import is_exhausted, split_into_micro_batches
from harness.training.optimisers import build_optimiser
from harness.training.trainer import freeze_norm_statistics

WARM_UP_SHARE, MIN_WARM_UP_STEPS = 0.25, 3
"""Before a phase, steps are run and discarded for this share of its seconds, and at least so many."""


def measure_variant(
    variant: AnyVariant, setting: CostSetting, seconds: float, turns: int
) -> Generator[None, None, Repeat]:
    """Measure inference, then training, then the peak of the device; images and labels are on the device already.

    Args:
        variant: The network.
        setting: Device, batch, precision and the other settings of the measurement.
        seconds: How long to time each of the two phases.
        turns: Into how many turns to divide each phase.

    Yields:
        None before each turn: another process may take its turn now.

    Returns:
        All measured values.

    Raises:
        HarnessError: The device or the precision is not available, or compilation fails.
        RuntimeError: The memory of the device or of the machine is exhausted.
    """
    kind, _, index = setting.device.partition(":")
    contention = GpuContention("cuda" if kind == "cuda" else "cpu", int(index) if index.isdigit() else 0)
    device = parse_device(setting.device)
    require_precision(device, setting.precision, "precision", "measure on a GPU")
    if device.type == "cuda":
        # Events are recorded on the current device, wherever the network is.
        torch.cuda.set_device(device)
    memory_format = configure_process(device, setting.execution, setting.recipe, setting.threads)
    profiler = VariantProfiler(variant, setting, device, memory_format, contention, seconds, turns)
    try:
        inference = yield from profiler.measure_inference()
        training = yield from profiler.measure_training()
    except torch._dynamo.exc.TorchDynamoException as error:
        if is_exhausted(error):
            raise
        raise HarnessError(
            f"torch.compile fails: {str(error).strip().partition(chr(10))[0]}",
            where="--compile",
            remedy="Install a C++ compiler (CPU) or Triton (GPU), or leave --compile out.",
        ) from error
    conditions = describe_device(device, memory_format, setting.threads)
    conditions |= {"kernels": describe_kernels(setting.execution), "precision": setting.precision}
    # Free the network, so that it does not disturb the measurement of the peak.
    del profiler
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return Repeat(
        batch=setting.batch,
        inference=inference,
        training=training,
        peak_flops=measure_peak_flops(device, setting.precision),
        conditions={key: conditions[key] for key in CONDITIONS},
        at=int(time.time() * 1000),
    )


class VariantProfiler:
    """One network on one device, with the batch that is put through it."""

    def __init__(
        self,
        variant: AnyVariant,
        setting: CostSetting,
        device: torch.device,
        memory_format: torch.memory_format,
        contention: GpuContention,
        seconds: float,
        turns: int,
    ) -> None:
        self.setting, self.device, self.contention = setting, device, contention
        self.seconds, self.turns = seconds, turns
        self.timer = StepTimer(device)
        self.auxiliary_weight = getattr(variant, "auxiliary_weight", 0.0)
        self.frozen = variant.weights is not None and variant.weights.freeze == "body"
        self.network = build(variant, seed=0, device=device).to(memory_format=memory_format)
        if setting.compile:
            self.network.compile()
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(setting.batch, variant.in_channels, *setting.size, generator=generator)
        self.images = images.to(device).contiguous(memory_format=memory_format)
        self.labels = torch.randint(variant.classes, (setting.batch,), generator=generator).to(device)

    def measure_inference(self) -> Generator[None, None, Phase]:
        """Measure forward passes in evaluation mode, waiting for each to end: the latency for a user of the network."""
        self.network.eval()

        def step() -> None:
            with torch.inference_mode(), autocast(self.device, self.setting.precision):
                self.network(self.images)

        return (yield from self._measure_phase(step, synchronous=True))

    def measure_training(self) -> Generator[None, None, Phase | None]:
        """Measure training steps as a trial takes them: forward pass, cross-entropy, backward pass, update.

        Returns:
            None where BatchNorm cannot train on the batch, because a channel has a single value.
        """
        self.network.train()
        if self.frozen:
            freeze_norm_statistics(self.network)
        recipe = self.setting.recipe
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        optimiser = build_optimiser(recipe, parameters)
        scaler = torch.amp.GradScaler(self.device.type, enabled=recipe.precision == "fp16")

        def step() -> None:
            optimiser.zero_grad(set_to_none=True)
            for images, labels in split_into_micro_batches(self.images, self.labels, self.setting.micro_batch):
                with autocast(self.device, self.setting.precision):
                    losses = compute_losses(self.network(images), labels, recipe.label_smoothing, self.auxiliary_weight)
                scaler.scale(losses.total * (len(labels) / len(self.labels))).backward()
            if recipe.clip_grad_norm is not None:
                scaler.unscale_(optimiser)
                torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_grad_norm)
            scaler.step(optimiser)
            scaler.update()

        try:
            return (yield from self._measure_phase(step, synchronous=False))
        except (ValueError, torch._dynamo.exc.TorchDynamoException) as error:
            if "more than 1 value per channel" in str(error):
                return None
            raise

    def _measure_phase(self, step: Step, synchronous: bool) -> Generator[None, None, Phase]:
        timer, meter = self.timer, self.contention.meter
        if timer.is_cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        first_s = timer.time_once(step)
        began, warm_up_steps = time.perf_counter(), 0
        while warm_up_steps < MIN_WARM_UP_STEPS or time.perf_counter() - began < WARM_UP_SHARE * self.seconds:
            timer.time_once(step)
            warm_up_steps += 1
        times: list[list[float]] = []
        energy_before = meter.read_joules() if meter else None
        for _ in range(self.turns):
            yield
            # One discarded step fills the caches again, which the other processes have used meanwhile.
            timer.time_once(step)
            times.append(timer.time_steps(step, self.seconds / self.turns, synchronous))
            self.contention.sample()
        # The meter is too slow for a single turn. On a GPU no other process takes turns, so it covers the whole phase,
        # with the discarded steps.
        energy_after = meter.read_joules() if meter else None
        steps = sum(map(len, times)) + self.turns
        return Phase(
            first_s=first_s,
            turns=tuple(map(tuple, times)),
            device_bytes=torch.cuda.max_memory_allocated(self.device) if timer.is_cuda else 0,
            host_bytes=peak_resident_bytes(),
            joules=None if energy_before is None or energy_after is None else (energy_after - energy_before) / steps,
            busy=self.contention.describe(),
        )
