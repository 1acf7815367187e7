"""For notebooks and scripts: what the commands do, as functions. ``import harness`` is all that they need."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from harness.costs import StaticCosts
    from harness.experiments.driver import RunResult
    from harness.specs.network.any_variant import AnyVariant

HOME = Path(".depthbench")


def variant(name: str, **fields: Any) -> AnyVariant:
    """The spec of a named variant, with fields changed, such as ``variant("resnet34", shortcut="none")``.

    Raises:
        HarnessError: There is no such variant or field, or they do not go together.
    """
    from harness.specs import Catalogue

    return Catalogue.load().get_with_fields(name, _assignments(fields)).with_content_hash()


def build(name: str | AnyVariant, seed: int = 0, device: str = "cpu", **fields: Any) -> nn.Module:
    """The network of a variant, initialised as a trial of that seed would be.

    Args:
        name: Such as ``resnet34``, ``cifar-plain56`` or ``densenet121``, or a spec.
        seed: Of the initialisation: twins of one seed start from the same values where they share a layer.
        device: Of the parameters.
        fields: Of the spec, to be changed: ``classes=10, in_channels=1``.

    Returns:
        A module from images (N, in_channels, H, W) to logits (N, classes).

    Raises:
        HarnessError: There is no such variant or field.
    """
    from harness.models import build as build_network
    from harness.training.device import parse_device

    return build_network(_spec(name, fields), seed, parse_device(device))


def cost(name: str | AnyVariant, input: str | int | tuple[int, ...] | None = None, **fields: Any) -> StaticCosts:
    """Parameters, MACs (1 MAC = 2 FLOPs; convolutions and linear layers) and activations for one image.

    Args:
        name: A variant's name or spec.
        input: Side in pixels, (height, width), (channels, height, width), or text such as ``3x224x224``; None: what
            its family is quoted at.
        fields: Of the spec, to be changed.

    Raises:
        HarnessError: There is no such variant, or the images are smaller than its total stride.
    """
    from harness.cli.options import image_shape
    from harness.costs import static_costs
    from harness.specs import Catalogue, Variant
    from harness.specs.network.layer_plan import require_input

    spec = _spec(name, fields)
    if input is None:
        input = Catalogue.load().family(spec.family).input_size
    shape = "x".join(map(str, input)) if isinstance(input, tuple) else str(input)
    channels, *sides = image_shape(shape)
    size = (sides[0], sides[1])
    if channels is not None:
        spec = spec.model_copy(update={"in_channels": channels})
    if isinstance(spec, Variant):
        require_input(spec, size)
    return static_costs(spec, size)


def run(
    experiment: str | Path,
    set: Mapping[str, Any] | None = None,
    seeds: Sequence[int] | None = None,
    launcher: str = "ray",
    home: str | Path = HOME,
    reports: str | Path = "reports",
    data_root: str | Path | None = None,
    download: bool = False,
    **settings: Any,
) -> RunResult:
    """Run what the record does not hold yet of an experiment, and write its report: ``harness run``.

    Args:
        experiment: A YAML file, or the name of one in ``experiments/``.
        set: Fields to change: ``{"recipe.epochs": 5, "variants.depth": [8, 20]}``.
        seeds: In place of the experiment's.
        launcher: ``ray``, or ``inline`` for this process.
        home: Store, artifacts and checkpoints.
        reports: Where reports go.
        data_root: Where the data set is.
        download: Whether it may be fetched.
        settings: More of :class:`harness.api.Settings`, such as ``tracking_uri`` or ``storage``.

    Returns:
        What came of it: trials trained, failed and stopped.

    Raises:
        HarnessError: Something in the experiment is wrong, or in its way; then nothing was written.
    """
    from rich.console import Console

    import harness.api as api

    options = api.Settings(Path(home), launcher=launcher, reports=Path(reports), **settings)
    changes = _assignments(set or {})
    if seeds is not None:
        changes.append(f"seeds={json.dumps(list(seeds))}")
    root = Path(data_root) if data_root is not None else None
    study = api.load_resolved_experiment(str(experiment), changes, None, root, download, local=options.address is None)
    outcome = api.run(study, options, Console(highlight=False))
    if api.report_due(study, outcome):
        api.report(study.experiment.name, options)
    return outcome


def results(name: str, last: bool = False, home: str | Path = HOME, **settings: Any) -> pd.DataFrame:
    """The tidy table of an experiment as it was last run: a row for each trial and epoch, a column for each metric.

    Args:
        name: The experiment's.
        last: A row for each trial: its last epoch, a diverged one at chance error.
        home: Store, artifacts and checkpoints.
        settings: More of :class:`harness.api.Settings`.

    Raises:
        HarnessError: It never ran in this store.
    """
    import harness.api as api

    table, _ = api.collect(name, api.Settings(Path(home), **settings))
    return table.final if last else table.epochs


def _spec(name: str | AnyVariant, fields: Mapping[str, Any]) -> AnyVariant:
    if isinstance(name, str):
        return variant(name, **fields)
    if fields:
        raise HarnessError("a spec is taken as it is", remedy="Change its fields with harness.variant(name, ...).")
    return name


def _assignments(fields: Mapping[str, Any]) -> list[str]:
    """As ``--set`` takes them; JSON is YAML."""
    return [f"{key}={json.dumps(value, default=_plain)}" for key, value in fields.items()]


def _plain(value: Any) -> Any:
    """Numbers of NumPy, and paths."""
    return value.item() if hasattr(value, "item") else str(value)
