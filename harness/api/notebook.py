"""The functions of ``import harness``, for notebooks and scripts: what the commands do, with Python values.

Functions that read or write files take every field of :class:`harness.settings.Settings` as a keyword argument, under
the name of its option: ``home``, ``tracking_uri``, ``launcher`` and so on. Paths may be text. Durations may be text
such as ``"1h30m"``, or a number of seconds.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from harness.errors import HarnessError
from harness.settings import Settings
from harness.settings.option import parse_options

if TYPE_CHECKING:
    import pandas as pd

    from harness.costs.complexity import StaticCosts
    from harness.experiments.run_result import RunResult
    from harness.specs.network.any_variant import AnyVariant

Function = TypeVar("Function", bound=Callable[..., Any])


def variant(name: str, **fields: Any) -> AnyVariant:
    """Return the spec of a named variant.

    Args:
        fields: Fields of the spec to change, such as ``shortcut="none"``.

    Raises:
        HarnessError: There is no such variant or field, or the values contradict each other.
    """
    from harness.specs import Catalogue

    return Catalogue.load().get_with_fields(name, _assignments(fields)).with_content_hash()


def build(name: str | AnyVariant, seed: int = 0, device: str = "cpu", **fields: Any) -> Any:
    """Return the network of a variant, initialised as a trial with the same seed initialises it.

    Args:
        name: A name, such as ``resnet34``, ``cifar-plain56`` or ``densenet121``, or a spec.
        seed: The seed of the initialisation. At one seed, layers that twins share start from the same values.
        device: The device of the parameters.
        fields: Fields of the spec to change, such as ``classes=10, in_channels=1``.

    Returns:
        A ``torch.nn.Module`` from images (N, in_channels, H, W) to logits (N, classes).

    Raises:
        HarnessError: There is no such variant, field or device.
    """
    from harness.models import build as build_network
    from harness.training.device import parse_device

    return build_network(_resolve_spec(name, fields), seed, parse_device(device))


def cost(name: str | AnyVariant, input: str | int | tuple[int, ...] | None = None, **fields: Any) -> StaticCosts:
    """Return the parameters, MACs and activations of a variant for one image.

    MACs count convolutions and linear layers; 1 MAC = 2 FLOPs.

    Args:
        name: A variant's name or spec.
        input: The shape of the image: its side in pixels, (height, width), (channels, height, width), or text such as
            ``3x224x224``. None: the shape at which the costs of the variant's family are published.
        fields: Fields of the spec to change.

    Raises:
        HarnessError: There is no such variant, or the image is smaller than the variant's total stride.
    """
    from harness.api.networks.input_shape import default_input, fit_input
    from harness.costs.complexity import compute_static_costs

    spec = _resolve_spec(name, fields)
    shape = default_input(spec) if input is None else input
    text = "x".join(map(str, shape)) if isinstance(shape, tuple) else str(shape)
    return compute_static_costs(*fit_input(spec, text))


def _list_settings(function: Function) -> Function:
    """Show every setting in the signature of a function, in place of ``**settings``: for help() and completion."""
    signature = inspect.signature(function)
    types = get_type_hints(Settings)
    parameters = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    for field in fields(Settings):
        if field.name not in signature.parameters:
            parameters.append(
                inspect.Parameter(
                    field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=types[field.name]
                )
            )
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return function


@_list_settings
def run(
    experiment: str | Path,
    set: Mapping[str, Any] | None = None,
    seeds: Sequence[int] | None = None,
    *,
    download: bool = False,
    force: bool = False,
    **settings: Any,
) -> RunResult:
    """Train the trials of an experiment that are not recorded yet, and write its report, as ``harness run`` does.

    Args:
        experiment: A YAML file, or the name of a file in ``experiments/``.
        set: Fields of the experiment to change: ``{"recipe.epochs": 5, "variants.depth": [8, 20]}``.
        seeds: Seeds in place of the experiment's.
        download: Whether the data set may be downloaded.
        force: Whether trials that are recorded are trained again.
        settings: Fields of :class:`harness.settings.Settings`, such as ``home``, ``launcher`` or ``time_limit``.

    Returns:
        How many trials were trained, and which failed or were interrupted.

    Raises:
        HarnessError: The experiment is wrong, or something prevents the run. Nothing was written then.
    """
    from rich.console import Console

    from harness.api import load_resolved_experiment, report
    from harness.api import run as run_experiment

    options = parse_options(Settings, settings)
    changes = _assignments(set or {})
    if seeds is not None:
        changes.append(f"seeds={json.dumps(list(seeds))}")
    resolved = load_resolved_experiment(
        str(experiment),
        changes,
        None,
        options.data_root,
        download,
        local=options.address is None,
        no_code=options.no_code,
        settings=options,
    )
    result = run_experiment(resolved, options, Console(highlight=False), force)
    if result.is_report_due(resolved):
        report(resolved.experiment.name, options)
    return result


@_list_settings
def results(name: str, last: bool = False, **settings: Any) -> pd.DataFrame:
    """Return the table of results of an experiment, as it was last run.

    Args:
        name: The experiment's name.
        last: Whether to return a row for each trial: its last epoch, or chance error if it diverged.
        settings: Fields of :class:`harness.settings.Settings`, such as ``home`` or ``tracking_uri``.

    Returns:
        A row for each trial and epoch (with ``last``, for each trial), and a column for each metric.

    Raises:
        HarnessError: The experiment is not recorded in this store.
    """
    from harness.api import collect

    table, _ = collect(name, parse_options(Settings, settings))
    return table.final if last else table.epochs


def _resolve_spec(name: str | AnyVariant, fields: Mapping[str, Any]) -> AnyVariant:
    if isinstance(name, str):
        return variant(name, **fields)
    if fields:
        raise HarnessError(
            "the fields of a spec cannot be changed here", remedy="Change them with harness.variant(name, ...)."
        )
    return name


def _assignments(fields: Mapping[str, Any]) -> list[str]:
    """Return fields as the assignments that ``--set`` takes. Values are written as JSON, which is YAML too."""
    return [f"{key}={json.dumps(value, default=_plain_value)}" for key, value in fields.items()]


def _plain_value(value: Any) -> Any:
    """Return a number of NumPy as a Python number, and any other value as text."""
    return value.item() if hasattr(value, "item") else str(value)
