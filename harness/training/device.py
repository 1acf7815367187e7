"""The device of a trial, and every global setting that torch keeps: set afresh at the start of each trial."""

from __future__ import annotations

import ctypes
import os
import platform
import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from harness.errors import HarnessError
from harness.processes import forget_most_resident, machine_memory, most_resident
from harness.specs import Execution, Recipe, Resources

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of glibc's mallopt(3)."""
LARGEST, PROMISED = 2**31 - 1, 2**25


def choose_device(resources: Resources, precision: str) -> torch.device:
    """CUDA where the trial asks for a GPU, else the CPU.

    Raises:
        HarnessError: A GPU is asked for and none is there, or the CPU lacks the declared precision.
    """
    if resources.gpus > 0:
        if not torch.cuda.is_available():
            raise HarnessError(
                f"a trial asks for {resources.gpus:g} GPU and this machine has none that torch can use",
                where="resources.gpus",
                remedy="Run it where there is one, or with --set resources.gpus=0 on the CPU.",
            )
        return torch.device("cuda", 0)
    device = torch.device("cpu")
    require_precision(device, precision, "recipe.precision", "give trials a GPU with --set resources.gpus=1")
    return device


def require_precision(device: torch.device, precision: str, where: str, otherwise: str) -> None:
    """Refuse a precision that a device does not have.

    Args:
        where: The field or option that declares it.
        otherwise: What else would help, beside another precision.

    Raises:
        HarnessError: The CPU is to train in tf32 or fp16.
    """
    if device.type == "cpu" and precision in ("tf32", "fp16"):
        raise HarnessError(
            f"the CPU does not train in {precision}", where=where, remedy=f"Use fp32 or bf16, or {otherwise}."
        )


def named_device(text: str) -> torch.device:
    """The device of that name: ``cpu``, ``cuda``, ``cuda:1``.

    Raises:
        HarnessError: torch knows no such device, or it is not here.
    """
    try:
        device = torch.device(text)
        if device.type not in ("cpu", "cuda"):
            raise RuntimeError("only cpu and cuda are supported")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        there = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
        raise HarnessError(
            f"there is no device '{text[:60]}' here: {reason}", where="--device", remedy=f"Use {' or '.join(there)}."
        ) from error
    return device


def _keep_memory() -> None:
    """Have glibc keep what it is given back: a CPU step allocates and frees hundreds of large buffers.

    Each would be mapped from the system and its pages be faulted in anew, at a price that differs from process to
    process by several percent (benchmarks/README.md).
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        # A glibc that refuses so much (0) takes what its manual promises.
        mallopt(M_MMAP_THRESHOLD, LARGEST) or mallopt(M_MMAP_THRESHOLD, PROMISED)
        mallopt(M_TRIM_THRESHOLD, LARGEST)


def configure_process(device: torch.device, execution: Execution, recipe: Recipe, threads: int) -> torch.memory_format:
    """Set threads, denormals, determinism and tf32; a worker may carry another trial's settings.

    Returns:
        The memory format for weights and images.
    """
    _keep_memory()
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
    wants_last = execution.memory_format == "channels_last" or (execution.memory_format == "auto" and cuda)
    return torch.channels_last if wants_last else torch.contiguous_format


def device_name(device: torch.device, threads: int) -> str:
    """What a device is, in words; of a processor also how many threads of it are used."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{cpu_name()}, {threads} thread{'s' * (threads != 1)}"


def describe_device(device: torch.device, memory_format: torch.memory_format, threads: int) -> dict[str, Any]:
    """Device, software and settings as the record keeps them."""
    packages = {name: _version(name) for name in ("torch", "torchvision", "numpy", "ray", "mlflow", "fvcore")}
    software = [f"{name} {number}" for name, number in packages.items() if name in ("torch", "torchvision")]
    if device.type == "cuda":
        software.append(f"CUDA {torch.version.cuda}, driver {_driver()}, cuDNN {torch.backends.cudnn.version()}")
    return {
        "device": device_name(device, threads),
        "threads": threads,
        "memory_format": str(memory_format).removeprefix("torch."),
        "software": ", ".join([*software, f"Python {platform.python_version()}"]),
        "packages": packages,
        "platform": platform.platform(),
        "cores": os.cpu_count() or 1,
    }


def reset_peak_memory(device: torch.device) -> None:
    """Count the most memory anew, which another trial of this process may have taken."""
    if device.type == "cuda":
        # What that one freed is still reserved, and withheld from other processes.
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    forget_most_resident()


def peak_memory(device: torch.device) -> dict[str, int]:
    """``peak``: bytes that were taken at most since :func:`forget_peak`. ``device``: that there are."""
    if device.type == "cuda":
        there = torch.cuda.get_device_properties(device).total_memory
        return {"peak": torch.cuda.max_memory_reserved(device), "device": there}
    return {"peak": most_resident(), "device": machine_memory()}


def _driver() -> str:
    """Version of NVIDIA's kernel module."""
    with suppress(OSError):
        found = re.search(r"\d+\.\d+(\.\d+)?", Path("/proc/driver/nvidia/version").read_text())
        if found:
            return found[0]
    return "unknown"


def cpu_name() -> str:
    """Model name of the processor."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    with suppress(PackageNotFoundError):
        return version(package)
    return None
