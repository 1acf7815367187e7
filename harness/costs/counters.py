"""Two independent counters of MACs on a network itself: fvcore, and torch's FlopCounterMode.

Both count convolutions and linear layers only, for one image.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import nn

FVCORE_OPERATORS = ("conv", "linear", "addmm")
"""fvcore's names of the counted operators. Its totals would add norms, pooling and some kinds of attention."""
TORCH_OPERATORS = ("convolution", "addmm", "mm")
"""Names of the same operators in torch's counter."""


def count_with_torch(network: nn.Module, image: torch.Tensor) -> int:
    """Return the MACs of a forward pass by torch's own counter, which also works on the meta device."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    # The fused path of attention hides its linear layers from both counters.
    fused_attention = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(image)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused_attention)
    flops = counter.get_flop_counts().get("Global", {})
    return int(sum(n for operator, n in flops.items() if str(operator).rpartition(".")[2] in TORCH_OPERATORS) // 2)


def count_with_fvcore(network: nn.Module, image: torch.Tensor) -> tuple[int, int]:
    """Return (MACs, activations) by fvcore, which traces a forward pass and needs real tensors."""
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

    with _without_fvcore_warnings():
        macs = FlopCountAnalysis(network, image).by_operator()
        activations = ActivationCountAnalysis(network, image).by_operator()
    return _sum_operators(macs), _sum_operators(activations)


class ModuleCounts(NamedTuple):
    """The costs of one module: its output shape without the batch, parameters, MACs and activations."""

    output: tuple[int, ...]
    params: int
    macs: int
    activations: int


def count_children_with_fvcore(network: nn.Module, image: torch.Tensor) -> dict[str, ModuleCounts]:
    """Return the counts of each direct child of a network by its name."""
    import torch
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

    shapes: dict[str, tuple[int, ...]] = {}

    def shape_recorder(name: str) -> Callable[..., None]:
        def record(module: nn.Module, inputs: Any, output: Any) -> None:
            shapes[name] = tuple(output.shape[1:]) if isinstance(output, torch.Tensor) else ()

        return record

    hooks = [child.register_forward_hook(shape_recorder(name)) for name, child in network.named_children()]
    with torch.no_grad():
        network(image)
    for hook in hooks:
        hook.remove()
    with _without_fvcore_warnings():
        macs = FlopCountAnalysis(network, image).by_module_and_operator()
        activations = ActivationCountAnalysis(network, image).by_module_and_operator()
    return {
        name: ModuleCounts(
            shapes.get(name, ()),
            sum(parameter.numel() for parameter in child.parameters()),
            _sum_operators(macs.get(name, {})),
            _sum_operators(activations.get(name, {})),
        )
        for name, child in network.named_children()
    }


@contextmanager
def _without_fvcore_warnings() -> Iterator[None]:
    """Suppress fvcore's warnings, which name every operator that it does not count."""
    logger = logging.getLogger("fvcore.nn.jit_analysis")
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = False


def _sum_operators(counts: Mapping[str, float]) -> int:
    return int(sum(counts[operator] for operator in FVCORE_OPERATORS if operator in counts))
