"""The number formats that a network is trained in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from harness.errors import HarnessError

AUTOCAST_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Precisions that torch reaches by casting the inputs of single operations."""


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Return the context in which a forward pass has this precision."""
    dtype = AUTOCAST_DTYPES.get(precision)
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def require_precision(device: torch.device, precision: str, where: str, alternative: str) -> None:
    """Raise where a device does not support a precision.

    Args:
        device: The device to train on.
        precision: fp32, tf32, bf16 or fp16.
        where: The field or option that declares the precision.
        alternative: What the user can do instead of choosing another precision.

    Raises:
        HarnessError: The device is the CPU and the precision is tf32 or fp16.
    """
    if device.type == "cpu" and precision in ("tf32", "fp16"):
        raise HarnessError(
            f"the CPU does not train in {precision}", where=where, remedy=f"Use fp32 or bf16, or {alternative}."
        )
