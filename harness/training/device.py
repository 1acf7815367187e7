"""The device of a trial, its number formats, and the global settings of torch that every trial sets anew."""

from __future__ import annotations

import ctypes
import os
import platform
import re
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from harness.errors import HarnessError
from harness.processes import machine_memory, peak_resident_bytes, reset_peak_resident_bytes
from harness.specs import Execution, Recipe, Resources

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""
LARGEST_THRESHOLD, DOCUMENTED_THRESHOLD = 2**31 - 1, 2**25
"""The largest value that fits the parameter, and the largest that the manual of mallopt(3) allows."""
AUTOCAST_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Precisions that torch reaches by casting the inputs of single operations."""


def choose_device(resources: Resources, precision: str) -> torch.device:
    """Return the first GPU where the trial needs one, else the CPU.

    Raises:
        HarnessError: The trial needs a GPU and torch finds none, or the CPU does not support the precision.
    """
    if resources.gpus > 0:
        if not torch.cuda.is_available():
            raise HarnessError(
                f"a trial needs {resources.gpus:g} GPU, and torch finds none on this machine",
                where="resources.gpus",
                remedy="Run it on a machine with a GPU, or on the CPU with --set resources.gpus=0.",
            )
        return torch.device("cuda", 0)
    device = torch.device("cpu")
    require_precision(device, precision, "recipe.precision", "give trials a GPU with --set resources.gpus=1")
    return device


def parse_device(name: str) -> torch.device:
    """Return the device of this name: ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        HarnessError: torch supports no such device, or this machine has none.
    """
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise RuntimeError("only cpu and cuda are supported")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        available = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
        raise HarnessError(
            f"this machine has no device '{name[:60]}': {reason}",
            where="--device",
            remedy=f"Use {' or '.join(available)}.",
        ) from error
    return device


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


def _keep_freed_memory() -> None:
    """Let glibc keep freed memory, because a training step on the CPU allocates and frees hundreds of large buffers.

    By default glibc maps each of them anew. The page faults cost time, which differs between processes by several
    percent (benchmarks/README.md).
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        # mallopt returns 0 where a glibc refuses the value.
        mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD) or mallopt(M_MMAP_THRESHOLD, DOCUMENTED_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, LARGEST_THRESHOLD)


def configure_process(device: torch.device, execution: Execution, recipe: Recipe, threads: int) -> torch.memory_format:
    """Set threads, denormals, determinism and tf32; a reused process still has those of the trial before.

    Returns:
        The memory format of weights and images.
    """
    _keep_freed_memory()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    cuda = device.type == "cuda"
    if cuda:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(execution.deterministic and cuda, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic = execution.deterministic
    torch.backends.cudnn.benchmark = not execution.deterministic
    torch.backends.cudnn.allow_tf32 = recipe.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = recipe.precision == "tf32"
    channels_last = execution.memory_format == "channels_last" or (execution.memory_format == "auto" and cuda)
    return torch.channels_last if channels_last else torch.contiguous_format


def device_name(device: torch.device, threads: int) -> str:
    """Return the model of a GPU, or the model of the CPU and the number of threads in use."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{cpu_name()}, {threads} thread{'s' * (threads != 1)}"


def describe_device(device: torch.device, memory_format: torch.memory_format, threads: int) -> dict[str, Any]:
    """Return device, versions of software, and settings as the record keeps them."""
    packages = {name: _installed_version(name) for name in ("torch", "torchvision", "numpy", "ray", "mlflow", "fvcore")}
    software = [f"{name} {number}" for name, number in packages.items() if name in ("torch", "torchvision")]
    if device.type == "cuda":
        software.append(f"CUDA {torch.version.cuda}, driver {_nvidia_driver()}, cuDNN {torch.backends.cudnn.version()}")
    return {
        "device": device_name(device, threads),
        "threads": threads,
        "memory_format": str(memory_format).removeprefix("torch."),
        "software": ", ".join([*software, f"Python {platform.python_version()}"]),
        "packages": packages,
        "platform": platform.platform(),
        "cores": os.cpu_count() or 1,
    }


def describe_kernels(execution: Execution) -> str:
    """Return how kernels are chosen: deterministic or autotuned, and whether they are compiled."""
    return ("deterministic" if execution.deterministic else "autotuned") + ", compiled" * execution.compile


def reset_peak_memory(device: torch.device) -> None:
    """Reset the peak of memory, which may come from an earlier trial of this process."""
    if device.type == "cuda":
        # Memory that the earlier trial freed is still reserved, so that other processes cannot use it.
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    reset_peak_resident_bytes()


def read_peak_memory(device: torch.device) -> dict[str, int]:
    """Return ``peak``, the most bytes in use since :func:`reset_peak_memory`, and ``device``, the bytes of the device.

    On the CPU these are the resident memory of this process and the memory of the machine.
    """
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        return {"peak": torch.cuda.max_memory_reserved(device), "device": total}
    return {"peak": peak_resident_bytes(), "device": machine_memory()}


def _nvidia_driver() -> str:
    """Return the version of NVIDIA's kernel module."""
    with suppress(OSError):
        number = re.search(r"\d+\.\d+(\.\d+)?", Path("/proc/driver/nvidia/version").read_text())
        if number:
            return number[0]
    return "unknown"


def cpu_name() -> str:
    """Return the model name of the processor."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _installed_version(package: str) -> str | None:
    with suppress(PackageNotFoundError):
        return version(package)
    return None
