"""What a variant takes on a device: latency, memory, energy. One process measures one variant once.

Networks that share a process distort each other (allocator, kernel choice, caches): :mod:`harness.costs.profiler_process` is the
program that runs this once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.costs.contention import GpuContention
from harness.errors import HarnessError
from harness.models import build
from harness.processes import peak_resident_bytes
from harness.specs.measured_cost import CONDITIONS, CostSetting, Phase, Repeat
from harness.specs.network.any_variant import AnyVariant
from harness.training.device import configure_process, describe_device, parse_device
from harness.training.memory_errors import is_exhausted
from harness.training.micro_batches import split_into_micro_batches
from harness.training.optimisers import build_optimiser
from harness.training.precision import AUTOCAST_DTYPES, autocast, require_precision
from harness.training.trainer import freeze_norm_statistics

FEWEST_STEPS, MOST_STEPS = 2, 200
"""Timed steps of a turn, whatever its seconds; one before them fills the caches again and is discarded."""
WARM_UP = 0.25
"""Share of the seconds of a phase that is run before and discarded, at least three steps."""
PRODUCTS = {"cpu": (512, 1024), "cuda": (4096, 8192)}
"""Sides of the square matrices whose product is taken for the device's peak."""


def measure_variant(
    variant: AnyVariant, setting: CostSetting, seconds: float, turns: int
) -> Generator[None, None, Repeat]:
    """Inference, then training, then the peak of the device; on images and labels that lie on it already.

    Args:
        seconds: To time each phase for.
        turns: Of a phase.

    Yields:
        Where another process may take its turn.

    Raises:
        HarnessError: There is no such device or precision, or compilation fails.
        RuntimeError: The memory is exhausted, in torch's words.
    """
    kind, _, index = setting.device.partition(":")
    watch = GpuContention("cuda" if kind == "cuda" else "cpu", int(index) if index.isdigit() else 0)
    device = parse_device(setting.device)
    require_precision(device, setting.precision, "precision", "measure on a GPU")
    if device.type == "cuda":
        # Events are recorded on the current device, whatever the network's.
        torch.cuda.set_device(device)
    memory_format = configure_process(device, setting.execution, setting.recipe, setting.threads)
    bench = _Bench(variant, setting, device, memory_format, watch, seconds, turns)
    try:
        inference = yield from bench.inference()
        training = yield from bench.training()
    except torch._dynamo.exc.TorchDynamoException as error:
        if is_exhausted(error):
            raise
        raise HarnessError(
            f"torch.compile fails here: {str(error).strip().partition(chr(10))[0]}",
            where="--compile",
            remedy="It needs a C++ compiler on the CPU, and Triton on a GPU; or leave --compile out.",
        ) from error
    described = describe_device(device, memory_format, setting.threads)
    described["kernels"] = ("deterministic" if setting.deterministic else "autotuned") + ", compiled" * setting.compile
    described["precision"] = setting.precision
    del bench
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return Repeat(
        batch=setting.batch,
        inference=inference,
        training=training,
        peak_flops=peak_flops(device, setting.precision),
        conditions={key: described[key] for key in CONDITIONS},
        at=int(time.time() * 1000),
    )


class _Bench:
    """One network on one device, with a batch to go through it."""

    def __init__(
        self,
        variant: AnyVariant,
        setting: CostSetting,
        device: torch.device,
        memory_format: torch.memory_format,
        watch: GpuContention,
        seconds: float,
        turns: int,
    ) -> None:
        self.setting, self.device, self.watch = setting, device, watch
        self.seconds, self.turns = seconds, turns
        self.frozen = variant.weights is not None and variant.weights.freeze == "body"
        self.cuda = device.type == "cuda"
        self.network = build(variant, seed=0, device=device).to(memory_format=memory_format)
        if setting.compile:
            self.network.compile()
        draw = torch.Generator().manual_seed(0)
        images = torch.randn(setting.batch, variant.in_channels, *setting.size, generator=draw)
        self.images = images.to(device).contiguous(memory_format=memory_format)
        self.labels = torch.randint(variant.classes, (setting.batch,), generator=draw).to(device)

    def inference(self) -> Generator[None, None, Phase]:
        """Forward in eval mode, each step waited for: the latency that a user of the network sees."""
        self.network.eval()

        def step() -> None:
            with torch.inference_mode(), autocast(self.device, self.setting.precision):
                self.network(self.images)

        return (yield from self._phase(step, waiting=True))

    def training(self) -> Generator[None, None, Phase | None]:
        """A step as a trial takes it: forward, cross-entropy, backward, update; a GPU has the next in its queue."""
        self.network.train()
        if self.frozen:
            freeze_norm_statistics(self.network)
        recipe = self.setting.recipe
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        update = build_optimiser(recipe, parameters)
        scaler = torch.amp.GradScaler(self.device.type, enabled=recipe.precision == "fp16")

        def step() -> None:
            update.zero_grad(set_to_none=True)
            for images, labels in split_into_micro_batches(self.images, self.labels, self.setting.micro_batch):
                with autocast(self.device, self.setting.precision):
                    loss = F.cross_entropy(self.network(images), labels, label_smoothing=recipe.label_smoothing)
                scaler.scale(loss * (len(labels) / len(self.labels))).backward()
            if recipe.clip_grad_norm is not None:
                scaler.unscale_(update)
                torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_grad_norm)
            scaler.step(update)
            scaler.update()

        try:
            return (yield from self._phase(step, waiting=False))
        except (ValueError, torch._dynamo.exc.TorchDynamoException) as error:
            if "more than 1 value per channel" in str(error):
                return None
            raise

    def _phase(self, step: Callable[[], None], waiting: bool) -> Generator[None, None, Phase]:
        if self.cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        first = self._once(step)
        began = time.perf_counter()
        warm = 0
        while warm < 3 or time.perf_counter() - began < WARM_UP * self.seconds:
            self._once(step)
            warm += 1
        timed = self._timed_on_gpu if self.cuda else self._timed
        times: list[list[float]] = []
        energy = self.watch.gpu.joules() if self.watch.gpu else None
        for _ in range(self.turns):
            yield
            self._once(step)
            times.append(timed(step, self.seconds / self.turns, waiting))
            self.watch.look()
        # The meter is too slow for a turn; on a GPU nobody else has one, and the discarded steps count.
        after = self.watch.gpu.joules() if self.watch.gpu else None
        steps = sum(map(len, times)) + self.turns
        return Phase(
            first_s=first,
            turns=tuple(map(tuple, times)),
            device_bytes=torch.cuda.max_memory_allocated(self.device) if self.cuda else 0,
            host_bytes=peak_resident_bytes(),
            joules=None if energy is None or after is None else (after - energy) / steps,
            busy=self.watch.seen(),
        )

    def _once(self, step: Callable[[], None]) -> float:
        began = time.perf_counter()
        step()
        self._wait()
        return time.perf_counter() - began

    def _timed(self, step: Callable[[], None], seconds: float, waiting: bool) -> list[float]:
        times: list[float] = []
        last = began = time.perf_counter()
        while len(times) < FEWEST_STEPS or (last - began < seconds and len(times) < MOST_STEPS):
            step()
            now = time.perf_counter()
            times.append(now - last)
            last = now
        return times

    def _timed_on_gpu(self, step: Callable[[], None], seconds: float, waiting: bool) -> list[float]:
        """By the GPU's own clock, between events in its queue.

        Where no step is waited for, the queue is bounded by waiting for the step before the last one.
        """
        began = time.perf_counter()
        start = self._mark()
        spans: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        while len(spans) < FEWEST_STEPS or (time.perf_counter() - began < seconds and len(spans) < MOST_STEPS):
            step()
            end = self._mark()
            (end if waiting else start).synchronize()
            spans.append((start, end))
            start = self._mark() if waiting else end
        self._wait()
        return [start.elapsed_time(end) / 1000 for start, end in spans]

    def _mark(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize(self.device)


def peak_flops(device: torch.device, precision: str, seconds: float = 0.1) -> float:
    """FLOPs per second of the fastest product of two square matrices, which utilisation is measured against.

    A data sheet's peak is never reached; this is what the same device, driver and precision give at their best. The
    product is also taken as a convolution of 1x1, since linear algebra and convolutions are of different libraries:
    on an AMD processor the latter is more than twice as fast.
    """
    dtype = AUTOCAST_DTYPES.get(precision, torch.float32)
    best = 0.0
    for side in PRODUCTS[device.type]:
        a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        pixels = a.view(1, 1, side, side).permute(0, 3, 1, 2)  # One image of side x 1 pixels, channels last.
        kernels = b.view(side, side, 1, 1)
        products: list[Callable[[], Tensor]] = [partial(torch.mm, a, b), partial(F.conv2d, pixels, kernels)]
        for product in products:
            times: list[float] = []
            began = time.perf_counter()
            while len(times) < 3 or time.perf_counter() - began < seconds:
                start = time.perf_counter()
                product()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                times.append(time.perf_counter() - start)
            best = max(best, 2 * side**3 / min(times))
    return best
