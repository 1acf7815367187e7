"""External networks as torch modules: models of torchvision and timm, and networks of the user's own functions."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from harness.errors import HarnessError, suggest_nearest
from harness.specs.network.external import INSTALL_COMMANDS, ExternalNetwork, find_source, library_version, source_hash
from harness.specs.random_streams import stream_seed

AUXILIARY = ("inception_v3", "googlenet")
"""Models of torchvision with auxiliary classifiers, which are switched off because no recipe adds their loss."""


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
    args = {"aux_logits": False, "init_weights": True} if spec.factory in AUXILIARY else {}
    network = _call_factory(
        spec, lambda: models.get_model(spec.factory, num_classes=spec.classes, **{**args, **spec.args})
    )
    if spec.in_channels == 3:
        return network
    if spec.in_channels != 1:
        raise HarnessError(
            f"{spec.factory} accepts images with 3 channels, or 1, and the data has {spec.in_channels}",
            where="data",
            remedy="Use another network or other data.",
        )
    return GreyAsColour(network)


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
    directory, source = (spec.path, _find_planned_source(spec)) if spec.path else find_source(spec.module)
    if spec.version and source_hash(source) != spec.version:
        raise HarnessError(
            "the source of this factory has changed since the trials were planned",
            where=str(source),
            remedy="Run the experiment again: trials with a changed factory get new ids.",
        )
    if directory not in sys.path:
        # It stays on the path, because a network may import modules of its directory while it runs.
        sys.path.insert(0, directory)
    try:
        function = getattr(_import_afresh(spec.module, source), spec.function, None)
    except (Exception, SystemExit) as error:
        raise _factory_error(spec, f"cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(function):
        raise _factory_error(spec, f"does not exist: {spec.module} has no function '{spec.function}'")
    args = copy.deepcopy(spec.args)
    network = _call_factory(spec, lambda: function(in_channels=spec.in_channels, classes=spec.classes, **args))
    if not isinstance(network, nn.Module):
        raise _factory_error(spec, f"returned a {type(network).__name__}, not a torch.nn.Module")
    if any(isinstance(parameter, UninitializedParameter) for parameter in network.parameters()):
        raise _factory_error(
            spec, "returned lazy layers, whose sizes are unknown before the first image: give their sizes"
        )
    return network


def _import_afresh(name: str, source: Path) -> ModuleType:
    """Import a module from its file as it is now, also if an older or another one of that name was imported before."""
    package = name if source.name == "__init__.py" else ""
    for imported in [key for key in sys.modules if key == name or (package and key.startswith(f"{package}."))]:
        del sys.modules[imported]
    importlib.invalidate_caches()
    module = importlib.import_module(name)
    if Path(module.__file__ or "").resolve() != source.resolve():
        raise ImportError(f"Python finds another module of this name first: {module.__file__}")
    return module


def _find_planned_source(spec: ExternalNetwork) -> Path:
    relative = Path(spec.path, *spec.module.split("."))
    file = relative.with_suffix(".py")
    source = file if file.is_file() else relative / "__init__.py"
    if not source.is_file():
        raise _factory_error(spec, f"is not on this machine: there is no file {file}")
    return source


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


def check_output(spec: ExternalNetwork, network: nn.Module, size: tuple[int, int]) -> None:
    """Check that the network maps two images to logits, in evaluation mode.

    Args:
        size: (height, width) of the images in pixels.

    Raises:
        HarnessError: The network raises, or its output is not a tensor of shape (2, classes).
    """
    images = torch.zeros(2, spec.in_channels, *size)
    try:
        with torch.no_grad():
            logits = network.eval()(images)
    except Exception as error:
        raise HarnessError(
            f"{spec.name or spec.factory} does not accept images of {spec.in_channels}x{size[0]}x{size[1]}: "
            f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
            where="variants",
            remedy="Use data with images of a size that the network accepts.",
        ) from error
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if shape != (2, spec.classes):
        raise HarnessError(
            f"{spec.name or spec.factory} returns {shape} for two images, not logits of shape (2, {spec.classes})",
            where="variants",
            remedy="Let its forward method return one tensor of shape (N, classes).",
        )
