"""The seed ensemble: the networks of several seeds merged into one, whose layers hold the channels of all seeds.

Images are (N, seeds * C, H, W) with the channels of each seed next to each other; logits are (N, seeds, classes).
Layers have separate groups for each seed, so a NaN in one seed does not reach another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import singledispatch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.models.modules import BranchScale, PadShortcut, SqueezeExciteBlock
from harness.models.network import Network
from harness.specs import Variant
from harness.specs.network.layer_plan import plan_layers

SHARED_MODULES = (nn.ReLU, nn.GELU, nn.SiLU, nn.MaxPool2d, nn.Sequential, nn.Identity)
"""Modules without parameters that treat all channels in the same way, so they serve all seeds."""


class EnsembleLinear(nn.Module):
    """A linear layer for each seed, on the features of that seed."""

    def __init__(self, seeds: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(seeds, outputs, inputs))
        self.bias = nn.Parameter(torch.empty(seeds, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, seeds * inputs) to (N, seeds, outputs)."""
        seeds, _, inputs = self.weight.shape
        x = x.view(len(x), seeds, inputs).transpose(0, 1)
        return torch.baddbmm(self.bias[:, None], x, self.weight.transpose(1, 2)).transpose(0, 1)


class EnsemblePad(PadShortcut):
    """Option A shortcut, with channels of zeros after the channels of each seed."""

    def __init__(self, seeds: int, channels_added: int, stride: int) -> None:
        super().__init__(channels_added, stride)
        self.seeds = seeds

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, seeds * C, H, W) to (N, seeds * (C + added), ceil(H / stride), ceil(W / stride))."""
        x = x[:, :, :: self.stride, :: self.stride].unflatten(1, (self.seeds, -1))
        return F.pad(x, (0, 0, 0, 0, 0, self.channels_added)).flatten(1, 2)


class EnsembleSqueezeExcite(nn.Module):
    """Squeeze-and-excitation for each seed, over the channels of that seed."""

    def __init__(self, seeds: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = EnsembleLinear(seeds, channels, hidden), EnsembleLinear(seeds, hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, seeds * C, H, W) to the same shape."""
        hidden = F.relu(self.fc1(x.mean((2, 3))))
        weights = torch.sigmoid(self.fc2(hidden.flatten(1))).flatten(1)
        return x * weights[:, :, None, None]


class EnsembleScale(nn.Module):
    """One learnable factor for each seed."""

    def __init__(self, seeds: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.empty(seeds))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, seeds * C, H, W) to the same shape."""
        return (x.unflatten(1, (len(self.factor), -1)) * self.factor[:, None, None, None]).flatten(1, 2)


@singledispatch
def merge_module(module: nn.Module, seeds: int) -> nn.Module:
    """Return a module that computes ``module`` for several seeds; its parameters have no values yet."""
    if isinstance(module, SHARED_MODULES):
        return module
    raise TypeError(
        f"{type(module).__name__} has no form for several seeds: register one in harness/models/seed_ensemble.py"
    )


@merge_module.register
def _conv(module: nn.Conv2d, seeds: int) -> nn.Module:
    return nn.Conv2d(
        seeds * module.in_channels,
        seeds * module.out_channels,
        module.kernel_size,  # type: ignore[arg-type]
        module.stride,  # type: ignore[arg-type]
        module.padding,  # type: ignore[arg-type]
        groups=seeds * module.groups,
        bias=False,
    )


@merge_module.register
def _batch_norm(module: nn.BatchNorm2d, seeds: int) -> nn.Module:
    return nn.BatchNorm2d(seeds * module.num_features)


@merge_module.register
def _group_norm(module: nn.GroupNorm, seeds: int) -> nn.Module:
    return nn.GroupNorm(seeds * module.num_groups, seeds * module.num_channels)


@merge_module.register
def _pad(module: PadShortcut, seeds: int) -> nn.Module:
    return EnsemblePad(seeds, module.channels_added, module.stride)


@merge_module.register
def _squeeze_excite(module: SqueezeExciteBlock, seeds: int) -> nn.Module:
    return EnsembleSqueezeExcite(seeds, module.fc1.in_features, module.fc1.out_features)


@merge_module.register
def _scale(module: BranchScale, seeds: int) -> nn.Module:
    return EnsembleScale(seeds)


@merge_module.register
def _linear(module: nn.Linear, seeds: int) -> nn.Module:
    return EnsembleLinear(seeds, module.in_features, module.out_features)


def merge_networks(variant: Variant, networks: Sequence[Network], memory_format: torch.memory_format) -> Network:
    """Return one network that computes all of ``networks``, which have one variant and one device.

    The parameters and running statistics of ``networks`` become views of those of the new network. Training it trains
    each of them, and each can still be used, saved and loaded alone.
    """
    seeds, example = len(networks), next(networks[0].parameters())
    with torch.device("meta"):
        merged = Network(plan_layers(variant, 224))
        _merge_children(merged, seeds)
    merged = merged.to_empty(device=example.device).to(example.dtype).to(memory_format=memory_format)
    for name, parameter in merged.named_parameters():
        shape = networks[0].get_parameter(name).shape
        for network, part in zip(networks, split_by_seed(parameter.data, shape, seeds), strict=True):
            part.copy_(network.get_parameter(name).data)
            network.get_parameter(name).data = part
    for name, buffer in merged.named_buffers():
        module_name, _, key = name.rpartition(".")
        shape = networks[0].get_buffer(name).shape
        for network, part in zip(networks, split_by_seed(buffer, shape, seeds), strict=True):
            part.copy_(network.get_buffer(name))
            network.get_submodule(module_name).register_buffer(key, part)
    return merged


def split_by_seed(merged: Tensor, shape: torch.Size, seeds: int) -> Iterator[Tensor]:
    """Yield the part of a merged tensor for each seed, as a view.

    Args:
        shape: Shape of one seed's tensor. A merged tensor of this shape is shared, such as a count of batches.
    """
    if merged.shape == shape:
        return iter([merged] * seeds)
    return iter(merged.view(seeds, *shape).unbind())


def _merge_children(parent: nn.Module, seeds: int) -> None:
    """Replace every module below ``parent`` with its merged form; containers stay."""
    for name, child in parent.named_children():
        if isinstance(child, SqueezeExciteBlock) or not any(True for _ in child.children()):
            setattr(parent, name, merge_module(child, seeds))
        else:
            _merge_children(child, seeds)
