"""Networks of other libraries and of the user's own factories."""

from __future__ import annotations

import copy
import importlib
import sys
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
"""torchvision's that have classifiers beside the last one, whose loss no recipe here adds."""


class GreyAsColour(nn.Module):
    """A network for colour images, given those of one channel."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> what the network gives for (N, 3, H, W)."""
        logits: Tensor = self.network(x.expand(-1, 3, -1, -1))
        return logits


def build_external(spec: ExternalNetwork, seed: int | None = None, device: torch.device | str = "cpu") -> nn.Module:
    """The network of ``spec``; its own initialisation, drawn from the stream of ``seed``.

    Raises:
        HarnessError: The library or the model is not there; the user's factory raises, or returns no module.
    """
    if spec.kind != "python" and spec.version and library_version(spec.kind, spec.factory) != spec.version:
        raise HarnessError(
            f"these trials were planned with {spec.kind} {spec.version}, and here is "
            f"{library_version(spec.kind, spec.factory)}",
            where=spec.factory,
            remedy="Use one version of it on all machines of an experiment.",
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
    network = _made(spec, lambda: models.get_model(spec.factory, num_classes=spec.classes, **{**args, **spec.args}))
    if spec.in_channels == 3:
        return network
    if spec.in_channels != 1:
        raise HarnessError(f"{spec.factory} takes images of 3 channels, not {spec.in_channels}", where="data")
    return GreyAsColour(network)


def _timm(spec: ExternalNetwork) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise HarnessError(f"timm is not installed: {error}", where="kind", remedy=INSTALL_COMMANDS["timm"] + ".") from error

    if not timm.is_model(spec.factory):
        raise HarnessError(
            f"timm has no model '{spec.factory}'",
            where="name",
            remedy=suggest_nearest(spec.factory, timm.list_models()),
        )
    return _made(
        spec,
        lambda: timm.create_model(
            spec.factory, pretrained=False, num_classes=spec.classes, in_chans=spec.in_channels, **spec.args
        ),
    )


def _python(spec: ExternalNetwork) -> nn.Module:
    directory, source = (spec.path, _source_in(spec)) if spec.path else find_source(spec.module)
    if spec.version and source_hash(source) != spec.version:
        raise HarnessError(
            "the factory's source is not what it was when these trials were planned",
            where=str(source),
            remedy="Run the experiment again: a changed factory makes new trials.",
        )
    if directory not in sys.path:
        # It stays there: a network may import what lies beside it when it runs.
        sys.path.insert(0, directory)
    try:
        function = getattr(_module(spec.module, source), spec.function, None)
    except (Exception, SystemExit) as error:
        raise _fault(spec, f"cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(function):
        raise _fault(spec, f"is not there: {spec.module} has no function '{spec.function}'")
    args = copy.deepcopy(spec.args)
    network = _made(spec, lambda: function(in_channels=spec.in_channels, classes=spec.classes, **args))
    if not isinstance(network, nn.Module):
        raise _fault(spec, f"returned a {type(network).__name__}, not a torch.nn.Module")
    if any(isinstance(parameter, UninitializedParameter) for parameter in network.parameters()):
        raise _fault(spec, "returned lazy layers, whose sizes nobody knows before the first image: give their sizes")
    return network


def _module(name: str, source: Path) -> ModuleType:
    """The module as its file is now: one that was imported before may be an older or another of that name."""
    package = name if source.name == "__init__.py" else ""
    for known in [key for key in sys.modules if key == name or (package and key.startswith(f"{package}."))]:
        del sys.modules[known]
    importlib.invalidate_caches()
    module = importlib.import_module(name)
    if Path(module.__file__ or "").resolve() != source.resolve():
        raise ImportError(f"another module of that name comes first: {module.__file__}")
    return module


def _source_in(spec: ExternalNetwork) -> Path:
    relative = Path(spec.path, *spec.module.split("."))
    file = relative.with_suffix(".py")
    found = file if file.is_file() else relative / "__init__.py"
    if not found.is_file():
        raise _fault(spec, f"is not on this machine: there is no {file}")
    return found


def _made(spec: ExternalNetwork, make: Any) -> nn.Module:
    try:
        made: nn.Module = make()
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        raise _fault(spec, f"raised {type(error).__name__}: {str(error).partition(chr(10))[0]}") from error
    return made


def _fault(spec: ExternalNetwork, what: str) -> HarnessError:
    given = ["in_channels", "classes", *spec.args] if spec.kind == "python" else list(spec.args)
    return HarnessError(
        f"the factory {spec.factory} {what}",
        where="factory" if spec.kind == "python" else "args",
        remedy=f"It is called with {', '.join(given)}, by name." if "raised" in what and given else "",
    )


def check_output(spec: ExternalNetwork, network: nn.Module, size: tuple[int, int]) -> None:
    """Put two images through the network, in evaluation.

    Raises:
        HarnessError: It raises, or gives anything but logits of shape (2, classes).
    """
    images = torch.zeros(2, spec.in_channels, *size)
    try:
        with torch.no_grad():
            logits = network.eval()(images)
    except Exception as error:
        raise HarnessError(
            f"{spec.name or spec.factory} does not take images of {spec.in_channels}x{size[0]}x{size[1]}: "
            f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
            where="variants",
            remedy="Where it wants larger images, or others, use another data set or size.",
        ) from error
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if shape != (2, spec.classes):
        raise HarnessError(
            f"{spec.name or spec.factory} gives {shape} for two images, not logits of shape (2, {spec.classes})",
            where="variants",
            remedy="Its forward must return one tensor (N, classes).",
        )
