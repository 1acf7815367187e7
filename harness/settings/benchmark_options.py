"""The options of `harness bench`."""

from __future__ import annotations

from dataclasses import dataclass

from harness.settings.option import declare_option

DEFAULT_BATCH_SIZES = "1,32"
DEFAULT_PRECISION = "fp32"


@dataclass(frozen=True)
class BenchmarkOptions:
    """The options of a benchmark: the networks that it measures, and the settings.

    Attributes:
        experiment: Name or file of an experiment whose variants are measured as its trials run; None: named variants.
        shape: The image shape; None: that of each variant's family.
        device: ``cpu``, ``cuda`` or ``cuda:1``; None: the device of the experiment's trials, else the CPU.
        batch_sizes: Batch sizes, separated by commas; None: 1 and 32.
        precision: Precisions, separated by commas; None: fp32.
        channels_last: The memory format; None: channels_last on GPUs, contiguous on the CPU.
        compile: Whether torch.compile is used.
        every_mode: Whether both memory formats are measured, each with and without torch.compile.
        threads: CPU threads; None: all cores.
        repeats: Number of processes for each row.
        seconds: Time to measure each phase of each process.
    """

    experiment: str | None = declare_option(
        None,
        "--experiment",
        "Measure all variants of this experiment, as its trials run them. Its report shows the costs.",
    )
    shape: str | None = declare_option(
        None,
        "--input",
        "The shape of an image: 3x224x224, 224x224 or 224. Default: the family's.",
        metavar="CxHxW",
    )
    device: str | None = declare_option(
        None, "--device", "cpu, cuda or cuda:1. Default: the device of the experiment's trials, else cpu."
    )
    batch_sizes: str | None = declare_option(
        None, "--batch-sizes", f"Images in a batch; several with commas. Default: {DEFAULT_BATCH_SIZES}."
    )
    precision: str | None = declare_option(
        None, "--precision", f"fp32, tf32, bf16 or fp16; several with commas. Default: {DEFAULT_PRECISION}."
    )
    channels_last: bool | None = declare_option(
        None,
        "--channels-last/--contiguous",
        "The memory format. Default: channels_last on GPUs, contiguous on the CPU.",
    )
    compile: bool = declare_option(False, "--compile", "Use torch.compile.")
    every_mode: bool = declare_option(
        False, "--every-mode", "Measure both memory formats, each with and without torch.compile."
    )
    threads: int | None = declare_option(None, "--threads", "Threads on the CPU. Default: all cores.", minimum=1)
    repeats: int = declare_option(
        5, "--repeats", "Number of processes for each row; the intervals are over these processes."
    )
    seconds: float = declare_option(
        1.0, "--seconds", "Time in seconds to measure each phase of a process.", minimum=0.01
    )


SET_BY_EXPERIMENT = ("shape", "batch_sizes", "precision", "channels_last", "compile", "every_mode", "threads")
"""Options that an experiment decides itself."""
