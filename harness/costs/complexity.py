"""Parameters, MACs and activations of a variant at an input size.

Units: 1 MAC = 1 multiply-accumulate = 2 FLOPs; convolutions and linear layers only; for one image.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.user_cache import cache_dir
from harness.specs import ExternalNetwork, Variant
from harness.specs.identity import digest
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.layer_plan import plan_layers

if TYPE_CHECKING:
    import torch
    from torch import nn

COUNTED = ("conv", "linear", "addmm")
"""fvcore's operator names that count: its totals would add norms, pooling, and some kinds of attention alone."""
TORCH_COUNTED = ("convolution", "addmm", "mm")
"""The same in torch's counter."""


@dataclass(frozen=True)
class StaticCosts:
    """Costs of one image; ``counter`` is the tool that counted.

    Attributes:
        layers: Convolutions and linear layers of a foreign network, whose depth nobody declares; else 0.
    """

    params: int
    macs: int
    activations: int
    counter: str
    layers: int = 0

    @property
    def flops(self) -> int:
        """Two per MAC."""
        return 2 * self.macs

    def metrics(self) -> dict[str, int | str]:
        """By metric key, with the counter's name."""
        return {
            "cost/params": self.params,
            "cost/macs": self.macs,
            "cost/flops": self.flops,
            "cost/activations": self.activations,
            "counter": self.counter,
        }


def static_costs(variant: AnyVariant, size: tuple[int, int]) -> StaticCosts:
    """Summed over the layer plan, without torch. A foreign network is built and counted once, then remembered.

    Raises:
        HarnessError: A foreign network cannot be made, or does not take such images.
    """
    if isinstance(variant, ExternalNetwork):
        return count_network(variant, size)
    plan = plan_layers(variant, size)
    return StaticCosts(plan.params, plan.macs, plan.activations, "layer plan")


@lru_cache(maxsize=64)
def _counted(variant: Variant, size: tuple[int, int]) -> StaticCosts:
    import torch

    from harness.models import build

    planned = static_costs(variant, size)
    with torch.device("meta"):
        network = build(variant, device="meta").eval()
        macs = _torch(network, torch.empty(1, variant.in_channels, *size))
    params = sum(parameter.numel() for parameter in network.parameters())
    counts = {"the layer plan": (planned.params, planned.macs, planned.activations)}
    counts["torch"] = (params, macs, planned.activations)
    tool = "torch FlopCounterMode"
    if find_spec("fvcore") is not None:
        image = torch.zeros(1, variant.in_channels, *size)
        counts["fvcore"] = (params, *_fvcore(build(variant, seed=0).eval(), image))
        tool = "fvcore"
    if len(set(counts.values())) > 1:
        raise HarnessError(
            "the counters disagree on (parameters, MACs, activations): "
            + "; ".join(f"{name} {values}" for name, values in counts.items()),
            where=variant.name,
            remedy="Please report this: it is a fault of depthbench or of a counter's new version.",
        )
    return StaticCosts(planned.params, planned.macs, planned.activations, tool)


def count_network(variant: AnyVariant, size: tuple[int, int]) -> StaticCosts:
    """Counted on the network itself: by fvcore where it is installed, and by torch's own counter.

    What was counted of a foreign network is kept in the cache, under its identity and the counters' versions.

    Raises:
        HarnessError: The counters and the layer plan disagree; the record would then be wrong. A foreign network
            cannot be made, or does not take such images.
    """
    if variant.weights is not None:
        variant = variant.model_copy(update={"weights": None})
    if isinstance(variant, Variant):
        return _counted(variant, size)
    costs = cached_costs(variant, size)
    if costs is None:
        costs = _counted_foreign(variant, size)
        with suppress(OSError, HarnessError):
            write_atomic(_cache(variant, size), json.dumps(asdict(costs)).encode())
    return costs


def cached_costs(variant: ExternalNetwork, size: tuple[int, int]) -> StaticCosts | None:
    """What was counted of a foreign network before, on this machine and with these tools."""
    try:
        return StaticCosts(**json.loads(_cache(variant, size).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _cache(variant: ExternalNetwork, size: tuple[int, int]) -> Path:
    tools = {name: version(name) for name in ("torch", "fvcore") if find_spec(name) is not None}
    return cache_dir() / "costs" / f"{digest([variant.identity(), size, tools], 20)}.json"


def _counted_foreign(variant: ExternalNetwork, size: tuple[int, int]) -> StaticCosts:
    """Nobody else's layer plan is at hand: where the two counters differ, that is said with the number of record."""
    import torch
    from torch import nn

    from harness.models import build
    from harness.models.external import check_output

    network = build(variant, seed=0).eval()
    check_output(variant, network, size)
    image = torch.zeros(1, variant.in_channels, *size)
    params = sum(parameter.numel() for parameter in network.parameters())
    layers = sum(isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear) for module in network.modules())
    other = _torch(network, image)
    if find_spec("fvcore") is None:
        return StaticCosts(params, other, 0, "torch FlopCounterMode", layers)
    macs, activations = _fvcore(network, image)
    counter = "fvcore" if macs == other else f"fvcore (torch's counter: {other:,} MACs)"
    return StaticCosts(params, macs, activations, counter, layers)


def counted_children(
    variant: ExternalNetwork, size: tuple[int, int]
) -> dict[str, tuple[tuple[int, ...], int, int, int]]:
    """(output shape, parameters, MACs, activations) of each module that a foreign network consists of, by fvcore.

    Raises:
        HarnessError: It cannot be made, or does not take such images.
    """
    import torch
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

    from harness.models import build
    from harness.models.external import check_output

    network = build(variant, seed=0).eval()
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: Any, output: Any) -> None:
            shapes[name] = tuple(output.shape[1:]) if isinstance(output, torch.Tensor) else ()

        return hook

    hooks = [child.register_forward_hook(note(name)) for name, child in network.named_children()]
    check_output(variant, network, size)
    for each in hooks:
        each.remove()
    image = torch.zeros(1, variant.in_channels, *size)
    with _quiet():
        macs = FlopCountAnalysis(network, image).by_module_and_operator()
        activations = ActivationCountAnalysis(network, image).by_module_and_operator()
    return {
        name: (
            shapes.get(name, ()),
            sum(parameter.numel() for parameter in child.parameters()),
            _sum(macs.get(name, {})),
            _sum(activations.get(name, {})),
        )
        for name, child in network.named_children()
    }


def _torch(network: nn.Module, image: torch.Tensor) -> int:
    """MACs by torch's own counter, which also works on the meta device."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    fast = torch.backends.mha.get_fastpath_enabled()
    # The fused path of attention hides its linear layers from both counters.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(image)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    by_operator = counter.get_flop_counts().get("Global", {})
    return int(sum(n for op, n in by_operator.items() if str(op).rpartition(".")[2] in TORCH_COUNTED) // 2)


def _fvcore(network: nn.Module, image: torch.Tensor) -> tuple[int, int]:
    """(MACs, activations) by fvcore's tracing counters, which need real tensors."""
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

    with _quiet():
        macs = FlopCountAnalysis(network, image).by_operator()
        activations = ActivationCountAnalysis(network, image).by_operator()
    return _sum(macs), _sum(activations)


@contextmanager
def _quiet() -> Iterator[None]:
    """fvcore warns of each operator that it does not count."""
    logger = logging.getLogger("fvcore.nn.jit_analysis")
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = False


def _sum(by_operator: dict[str, float]) -> int:
    return int(sum(by_operator[key] for key in COUNTED if key in by_operator))
