"""Parameters, MACs and activations of a variant at an input size.

Units: 1 MAC = 1 multiply-accumulate = 2 FLOPs; convolutions and linear layers only; for one image.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

from harness.errors import HarnessError
from harness.specs import Variant

COUNTED = ("conv", "linear", "addmm", "matmul", "bmm", "einsum")
"""fvcore's operator names that count; its totals would add norms and pooling."""


@dataclass(frozen=True)
class StaticCosts:
    """Costs of one image; ``counter`` is the tool that counted."""

    params: int
    macs: int
    activations: int
    counter: str

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


def static_costs(variant: Variant, size: tuple[int, int]) -> StaticCosts:
    """Summed over the layer plan; no torch."""
    plan = variant.plan(size)
    return StaticCosts(plan.params, plan.macs, plan.activations, "layer plan")


@lru_cache(maxsize=64)
def count(variant: Variant, size: tuple[int, int]) -> StaticCosts:
    """Counted on the network itself: by fvcore where it is installed, and by torch's own counter.

    Raises:
        HarnessError: The counters and the layer plan disagree; the record would then be wrong.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from harness.models import build

    planned = static_costs(variant, size)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = build(variant, device="meta").eval()
        network(torch.empty(1, variant.in_channels, *size))
    params = sum(parameter.numel() for parameter in network.parameters())
    counts = {"the layer plan": (planned.params, planned.macs, planned.activations)}
    counts["torch"] = (params, counter.get_total_flops() // 2, planned.activations)
    tool = "torch FlopCounterMode"
    if find_spec("fvcore") is not None:
        macs, activations = _fvcore(variant, size)
        counts["fvcore"] = (params, macs, activations)
        tool = "fvcore"
    if len(set(counts.values())) > 1:
        raise HarnessError(
            "the counters disagree on (parameters, MACs, activations): "
            + "; ".join(f"{name} {values}" for name, values in counts.items()),
            where=variant.name,
            remedy="Please report this: it is a fault of depthbench or of a counter's new version.",
        )
    return StaticCosts(planned.params, planned.macs, planned.activations, tool)


def _fvcore(variant: Variant, size: tuple[int, int]) -> tuple[int, int]:
    """(MACs, activations) by fvcore's tracing counters, which need real tensors."""
    import torch
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

    from harness.models import build

    image = torch.zeros(1, variant.in_channels, *size)
    network = build(variant, seed=0).eval()
    logger = logging.getLogger("fvcore.nn.jit_analysis")
    logger.disabled = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macs = FlopCountAnalysis(network, image).by_operator()
        activations = ActivationCountAnalysis(network, image).by_operator()
    logger.disabled = False
    return tuple(int(sum(by[key] for key in COUNTED if key in by)) for by in (macs, activations))  # type: ignore[return-value]
