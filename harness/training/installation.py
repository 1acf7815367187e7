"""Checks of the installed torch and torchvision on this machine, for `harness doctor`."""

from __future__ import annotations

import torch

GIB = 2**30


def list_gpus() -> list[tuple[str, float]]:
    """Return name and memory in GiB of each GPU that torch can use."""
    properties = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [(gpu.name, gpu.total_memory / GIB) for gpu in properties]


def check_torchvision_operators() -> None:
    """Call a compiled operator of torchvision.

    Raises:
        ImportError, RuntimeError, AttributeError: torchvision was compiled for another version of torch.
    """
    from torchvision.ops import nms

    nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
