"""Parameters, MACs and activations of a variant at an input size.

Units: 1 MAC = 1 multiply-accumulate = 2 FLOPs; convolutions and linear layers only; for one image.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.io.atomic_files import write_atomic
from harness.io.user_cache import cache_dir
from harness.specs import ExternalNetwork, Variant
from harness.specs.identity import digest
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.layer_plan import plan_layers

if TYPE_CHECKING:
    from torch import nn

    from harness.costs.counters import ModuleCounts


@dataclass(frozen=True)
class StaticCosts:
    """The costs of one image that do not depend on a device.

    Attributes:
        params: Parameters of the network.
        macs: Multiply-accumulates of convolutions and linear layers.
        activations: Output elements of convolutions and linear layers.
        counter: The tool that counted.
        layers: Convolutions and linear layers of an external network, which declares no depth; else 0.
    """

    params: int
    macs: int
    activations: int
    counter: str
    layers: int = 0

    @property
    def flops(self) -> int:
        """Floating-point operations: two per MAC."""
        return 2 * self.macs

    def metrics(self) -> dict[str, int | str]:
        """Return the costs by metric key, and the name of the counter."""
        return {
            "cost/params": self.params,
            "cost/macs": self.macs,
            "cost/flops": self.flops,
            "cost/activations": self.activations,
            "counter": self.counter,
        }


def compute_static_costs(variant: AnyVariant, size: tuple[int, int], is_fresh: bool = False) -> StaticCosts:
    """Return the costs from the layer plan, without torch; those of an external network are counted, and cached.

    Args:
        variant: The network.
        size: Height and width of the images.
        is_fresh: Whether to count the network of a user's own function again, which may read files that its identity
            does not cover.

    Raises:
        HarnessError: An external network cannot be built or trained, or does not accept such images.
    """
    if isinstance(variant, ExternalNetwork):
        return count_network(variant, size, is_fresh and variant.kind == "python")
    plan = plan_layers(variant, size)
    return StaticCosts(plan.params, plan.macs, plan.activations, "layer plan")


def count_network(variant: AnyVariant, size: tuple[int, int], is_fresh: bool = False) -> StaticCosts:
    """Return the costs counted on the network itself, by torch's counter and by fvcore where it is installed.

    Args:
        variant: The network.
        size: Height and width of the images.
        is_fresh: Whether to count an external network although the cache has its costs.

    Raises:
        HarnessError: The counters and the layer plan disagree, so that the record would be wrong; or an external
            network cannot be built or trained, or does not accept such images.
    """
    if isinstance(variant, Variant):
        return _count_variant(variant.model_copy(update={"weights": None}), size)
    costs = None if is_fresh else read_cached_costs(variant, size)
    if costs is None:
        costs = _count_external(variant, size)
        with suppress(OSError, HarnessError):
            write_atomic(_cache_file(variant, size), json.dumps(asdict(costs)).encode())
    return costs


@lru_cache(maxsize=64)
def _count_variant(variant: Variant, size: tuple[int, int]) -> StaticCosts:
    """Count a variant with every counter, and raise where they disagree with the layer plan."""
    import torch

    from harness.costs.counters import count_with_fvcore, count_with_torch
    from harness.models import build

    planned = compute_static_costs(variant, size)
    with torch.device("meta"):
        network = build(variant, device="meta").eval()
        macs = count_with_torch(network, torch.empty(1, variant.in_channels, *size))
    params = _count_parameters(network)
    counts = {"the layer plan": (planned.params, planned.macs, planned.activations)}
    counts["torch"] = (params, macs, planned.activations)
    counter = "torch FlopCounterMode"
    if find_spec("fvcore") is not None:
        image = torch.zeros(1, variant.in_channels, *size)
        counts["fvcore"] = (params, *count_with_fvcore(build(variant, seed=0).eval(), image))
        counter = "fvcore"
    if len(set(counts.values())) > 1:
        raise HarnessError(
            "the counters disagree on (parameters, MACs, activations): "
            + "; ".join(f"{name} {values}" for name, values in counts.items()),
            where=variant.name,
            remedy="Report this as a fault of depthbench, or of a new version of a counter.",
        )
    return StaticCosts(planned.params, planned.macs, planned.activations, counter)


def read_cached_costs(variant: ExternalNetwork, size: tuple[int, int]) -> StaticCosts | None:
    """Return the costs of an external network from the cache; None if these tools have not counted it here before."""
    try:
        return StaticCosts(**json.loads(_cache_file(variant, size).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _cache_file(variant: ExternalNetwork, size: tuple[int, int]) -> Path:
    """Return the cache file of an external network.

    Its name holds the network's identity, the counters' versions, and the checks that the network has passed.
    """
    tools = {name: version(name) for name in ("torch", "fvcore") if find_spec(name) is not None}
    is_frozen = variant.weights is not None and variant.weights.freeze == "body"
    key = [_without_weights(variant).identity(), size, tools, "trainable", is_frozen]
    return cache_dir() / "costs" / f"{digest(key, 20)}.json"


def _without_weights(variant: ExternalNetwork) -> ExternalNetwork:
    return variant.model_copy(update={"weights": None})


def _count_external(variant: ExternalNetwork, size: tuple[int, int]) -> StaticCosts:
    """Count an external network, which has no layer plan. Where the counters disagree, record both numbers.

    Auxiliary classifiers that are trained count too.
    """
    import torch
    from torch import nn

    from harness.costs.counters import count_with_fvcore, count_with_torch
    from harness.models.auxiliary import with_auxiliary_classifiers
    from harness.models.output_check import check_training

    network = _build_external(_without_weights(variant), size)
    image = torch.zeros(1, variant.in_channels, *size)
    params = _count_parameters(network)
    layers = sum(isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear) for module in network.modules())
    with with_auxiliary_classifiers(network):
        torch_macs = count_with_torch(network, image)
        counted = count_with_fvcore(network, image) if find_spec("fvcore") is not None else None
    # After counting, because it changes statistics of the network.
    check_training(variant, network, size)
    if counted is None:
        return StaticCosts(params, torch_macs, 0, "torch FlopCounterMode", layers)
    macs, activations = counted
    counter = "fvcore" if macs == torch_macs else f"fvcore (torch's counter: {torch_macs:,} MACs)"
    return StaticCosts(params, macs, activations, counter, layers)


def count_external_modules(variant: ExternalNetwork, size: tuple[int, int]) -> dict[str, ModuleCounts]:
    """Return the counts of the modules that an external network consists of, by name.

    Raises:
        HarnessError: The network cannot be built, or does not accept such images.
    """
    import torch

    from harness.costs.counters import count_children_with_fvcore

    return count_children_with_fvcore(_build_external(variant, size), torch.zeros(1, variant.in_channels, *size))


def _build_external(variant: ExternalNetwork, size: tuple[int, int]) -> nn.Module:
    """Return the network in evaluation mode, after a check that it accepts images of this size."""
    from harness.models import build
    from harness.models.output_check import check_output

    network = build(variant, seed=0).eval()
    check_output(variant, network, size)
    return network


def _count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
