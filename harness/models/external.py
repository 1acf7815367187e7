"""External networks as torch modules: models of torchvision and timm, and networks of the user's own functions."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from harness.errors import HarnessError, suggest_nearest
from harness.models.factory_import import import_factory, refuse_unseen_modules
from harness.specs.network.external import AUXILIARY_NETWORKS, INSTALL_COMMANDS, ExternalNetwork, library_version
from harness.specs.network.factory_source import FactorySource, find_factory_source
from harness.specs.random_streams import stream_seed

AUXILIARY_MODULES = ("aux1", "aux2", "AuxLogits")
"""torchvision's names of auxiliary classifiers."""
MOST_FILES = 3
"""Files that an error names."""


class GreyAsColour(nn.Module):
    """A network for colour images that accepts grey images: it repeats their channel three times."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 1, H, W) to the network's output for (N, 3, H, W)."""
        logits: Tensor = self.network(x.expand(-1, 3, -1, -1))
        return logits


def build_external(spec: ExternalNetwork, seed: int | None = None, device: torch.device | str = "cpu") -> nn.Module:
    """Return the network of a spec, with its library's initialisation.

    Args:
        seed: Seed of the initialisation; None draws from torch's global generator.

    Raises:
        HarnessError: The library or the model does not exist, has another version than the spec, or the user's factory
            raises or does not return a module.
    """
    if spec.kind != "python" and spec.version and library_version(spec.kind, spec.factory) != spec.version:
        raise HarnessError(
            f"the trials were planned with {spec.kind} {spec.version}, and this machine has "
            f"{library_version(spec.kind, spec.factory)}",
            where=spec.factory,
            remedy=f"Install the same version of {spec.kind} on all machines of the experiment.",
        )
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(stream_seed(seed, "initialisation"))
        network = {"torchvision": _torchvision, "timm": _timm, "python": _python}[spec.kind](spec)
    return network.to(device)


def _torchvision(spec: ExternalNetwork) -> nn.Module:
    from torchvision import models

    names = models.list_models(module=models)
    if spec.factory not in names:
        raise HarnessError(
            f"torchvision has no classifier '{spec.factory}'", where="name", remedy=suggest_nearest(spec.factory, names)
        )
    args = {"aux_logits": False, "init_weights": True} if spec.factory in AUXILIARY_NETWORKS else {}
    network = _call_factory(
        spec, lambda: models.get_model(spec.factory, num_classes=spec.classes, **{**args, **spec.args})
    )
    if spec.factory in AUXILIARY_NETWORKS and not spec.auxiliary_weight:
        _remove_auxiliary_classifiers(network)
    if spec.in_channels == 3:
        return network
    if spec.in_channels != 1:
        raise HarnessError(
            f"{spec.factory} accepts images with 3 channels, or 1, and the data has {spec.in_channels}",
            where="data",
            remedy="Use another network or other data.",
        )
    return GreyAsColour(network)


def _remove_auxiliary_classifiers(network: nn.Module) -> None:
    """Remove the classifiers that no loss would train, so that the network returns logits alone in training mode."""
    network.aux_logits = False  # type: ignore[assignment]
    for name in AUXILIARY_MODULES:
        if hasattr(network, name):
            setattr(network, name, None)


def _timm(spec: ExternalNetwork) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise HarnessError(
            f"timm is not installed: {error}", where="kind", remedy=f"Install it: {INSTALL_COMMANDS['timm']}."
        ) from error

    if not timm.is_model(spec.factory):
        raise HarnessError(
            f"timm has no model '{spec.factory}'",
            where="name",
            remedy=suggest_nearest(spec.factory, timm.list_models()),
        )
    return _call_factory(
        spec,
        lambda: timm.create_model(
            spec.factory, pretrained=False, num_classes=spec.classes, in_chans=spec.in_channels, **spec.args
        ),
    )


def _python(spec: ExternalNetwork) -> nn.Module:
    source = find_factory_source(spec.module, spec.path)
    if spec.version and source.version != spec.version:
        raise HarnessError(
            "the source of this factory has changed since the trials were planned",
            where=", ".join(map(str, source.files[:MOST_FILES])) + ", ..." * (len(source.files) > MOST_FILES),
            remedy="Run the experiment again: trials with a changed factory get new ids.",
        )
    network = refuse_unseen_modules(source, lambda: _import_and_call(spec, source))
    if not isinstance(network, nn.Module):
        raise _factory_error(spec, f"returned a {type(network).__name__}, not a torch.nn.Module")
    if any(isinstance(parameter, UninitializedParameter) for parameter in network.parameters()):
        raise _factory_error(
            spec, "returned lazy layers, whose sizes are unknown before the first image: give their sizes"
        )
    return network


def _import_and_call(spec: ExternalNetwork, source: FactorySource) -> Any:
    try:
        function = getattr(import_factory(spec.module, source), spec.function, None)
    except (Exception, SystemExit) as error:
        raise _factory_error(spec, f"cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(function):
        raise _factory_error(spec, f"does not exist: {spec.module} has no function '{spec.function}'")
    args = copy.deepcopy(spec.args)
    return _call_factory(spec, lambda: function(in_channels=spec.in_channels, classes=spec.classes, **args))


def _call_factory(spec: ExternalNetwork, factory: Callable[[], Any]) -> nn.Module:
    try:
        network: nn.Module = factory()
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        raise _factory_error(spec, f"raised {type(error).__name__}: {str(error).partition(chr(10))[0]}") from error
    return network


def _factory_error(spec: ExternalNetwork, what: str) -> HarnessError:
    arguments = ["in_channels", "classes", *spec.args] if spec.kind == "python" else list(spec.args)
    return HarnessError(
        f"the factory {spec.factory} {what}",
        where="factory" if spec.kind == "python" else "args",
        remedy=f"It is called with the keyword arguments {', '.join(arguments)}."
        if "raised" in what and arguments
        else "",
    )
