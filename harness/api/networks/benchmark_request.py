"""The rows that `harness bench` measures, from its options."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace

from harness.api.experiments.load_experiment import load_resolved_experiment
from harness.api.networks.benchmark_rows import build_rows, list_experiment_settings, list_settings, select_networks
from harness.api.networks.input_shape import parse_image_shape
from harness.errors import HarnessError
from harness.settings import BenchmarkOptions, Settings
from harness.settings.benchmark_options import DEFAULT_BATCH_SIZES, DEFAULT_PRECISION, SET_BY_EXPERIMENT
from harness.specs.measured_cost import MeasuredCost


@dataclass(frozen=True)
class BenchmarkRequest:
    """The rows to measure.

    Attributes:
        settings: The settings, with the kind of GPU that an experiment needs.
        experiment: Name of the experiment whose variants are measured; None: there is none.
    """

    rows: tuple[MeasuredCost, ...]
    settings: Settings
    experiment: str | None


def request_benchmark(names: list[str], options: BenchmarkOptions, settings: Settings) -> BenchmarkRequest:
    """Return the rows to measure.

    Args:
        names: The variants; empty with an experiment.

    Raises:
        HarnessError: A value is wrong, two options exclude each other, or there is no such variant or experiment.
    """
    if options.repeats < 1:
        raise HarnessError(
            f"repeats is {options.repeats}, and must be at least 1", where="--repeats", remedy="The default is 5."
        )
    if options.experiment is not None:
        return _request_experiment(options.experiment, names, options, settings)
    if not names:
        raise HarnessError(
            "no variant is named", where="bench", remedy="Write harness bench resnet18, or use --experiment NAME."
        )
    formats = {None: "auto", True: "channels_last", False: "contiguous"}
    cost_settings = list_settings(
        options.device or "cpu",
        parse_batch_sizes(options.batch_sizes or DEFAULT_BATCH_SIZES),
        [part.strip() for part in (options.precision or DEFAULT_PRECISION).split(",")],
        ["contiguous", "channels_last"] if options.every_mode else [formats[options.channels_last]],
        [False, True] if options.every_mode else [options.compile],
        options.threads,
    )
    shape = parse_image_shape(options.shape) if options.shape is not None else None
    rows = build_rows(select_networks(names, shape, settings.no_code), cost_settings)
    return BenchmarkRequest(tuple(rows), settings, None)


def _request_experiment(
    experiment: str, names: list[str], options: BenchmarkOptions, settings: Settings
) -> BenchmarkRequest:
    defaults = {field.name: field.default for field in fields(BenchmarkOptions)}
    if names or any(getattr(options, name) != defaults[name] for name in SET_BY_EXPERIMENT):
        raise HarnessError(
            "an experiment names its variants, images and settings itself",
            where="--experiment",
            remedy="Use only --device, --repeats, --seconds and --name with it.",
        )
    resolved = load_resolved_experiment(
        experiment, data_root=settings.data_root, no_code=settings.no_code, settings=settings
    )
    resources = resolved.experiment.resources
    device = options.device or ("cuda" if resources.gpus else "cpu")
    variants = [
        (view.named_for_data(variant) if len(resolved.data_sets) > 1 else variant, view.data.size)
        for view in resolved.views
        for variant in view.variants
    ]
    rows = build_rows(variants, list_experiment_settings(resolved, device))
    settings = replace(settings, accelerator=settings.accelerator or resources.accelerator)
    return BenchmarkRequest(tuple(rows), settings, resolved.experiment.name)


def check_benchmark_settings(settings: Settings) -> Settings:
    """Return the settings with the launcher that an address of a cluster needs.

    Raises:
        HarnessError: There is a time to wait for hosts, but no cluster.
    """
    if settings.wait and settings.address is None:
        raise HarnessError(
            "there is no cluster whose hosts could be waited for", where="--wait", remedy="Give --address too."
        )
    return replace(settings, launcher="ray") if settings.address else settings


def parse_batch_sizes(text: str) -> list[int]:
    """Return the batch sizes of a text such as ``1,32``, each once.

    Raises:
        HarnessError: A part of the text is not a number.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"-?\d{1,9}", part) for part in parts):
        raise HarnessError(
            f"'{text[:60]}' is not a list of batch sizes", where="--batch-sizes", remedy="Write 1,32, for example."
        )
    return list(dict.fromkeys(int(part) for part in parts))
