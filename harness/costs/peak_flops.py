"""The peak of a device, against which the utilisation of a network is measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.training.device import AUTOCAST_DTYPES

MATRIX_SIDES = {"cpu": (512, 1024), "cuda": (4096, 8192)}
MIN_PRODUCTS = 3


def measure_peak_flops(device: torch.device, precision: str, seconds: float = 0.1) -> float:
    """Return the FLOPs per second of the fastest product of two square matrices.

    No device reaches the peak of its data sheet. This is the best that the same device, driver and precision give.
    The product is also computed as a 1x1 convolution, because torch has linear algebra and convolutions from
    different libraries: on an AMD processor the convolution is more than twice as fast.

    Args:
        device: Where to compute it.
        precision: fp32, tf32, bf16 or fp16.
        seconds: How long to repeat each kind of product, at least three times.
    """
    dtype = AUTOCAST_DTYPES.get(precision, torch.float32)
    best = 0.0
    for side in MATRIX_SIDES[device.type]:
        a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        pixels = a.view(1, 1, side, side).permute(0, 3, 1, 2)  # One image of side x 1 pixels, channels last.
        kernels = b.view(side, side, 1, 1)
        products: list[Callable[[], Tensor]] = [partial(torch.mm, a, b), partial(F.conv2d, pixels, kernels)]
        for product in products:
            times: list[float] = []
            began = perf_counter()
            while len(times) < MIN_PRODUCTS or perf_counter() - began < seconds:
                start = perf_counter()
                product()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                times.append(perf_counter() - start)
            best = max(best, 2 * side**3 / min(times))
    return best
