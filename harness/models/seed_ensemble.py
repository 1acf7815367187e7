"""The networks of several seeds as one: each layer once, over the channels of all seeds, in groups that do not mix.

Images are (N, seeds * C, H, W), each seed's channels in a row; logits (N, seeds, classes). No value of one seed enters
a computation of another, so that one that is not finite stays where it is.
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

SAME = (nn.ReLU, nn.GELU, nn.SiLU, nn.MaxPool2d, nn.Sequential, nn.Identity)
"""Modules without values of their own, that treat every channel alike."""


class EnsembleLinear(nn.Module):
    """A linear layer of each seed on its own features."""

    def __init__(self, seeds: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(seeds, outputs, inputs))
        self.bias = nn.Parameter(torch.empty(seeds, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, seeds * inputs) -> (N, seeds, outputs)."""
        seeds, _, inputs = self.weight.shape
        x = x.view(len(x), seeds, inputs).transpose(0, 1)
        return torch.baddbmm(self.bias[:, None], x, self.weight.transpose(1, 2)).transpose(0, 1)


class EnsemblePad(PadShortcut):
    """Option A shortcut, with the zero channels behind those of each seed."""

    def __init__(self, seeds: int, channels_added: int, stride: int) -> None:
        super().__init__(channels_added, stride)
        self.seeds = seeds

    def forward(self, x: Tensor) -> Tensor:
        """(N, seeds * C, H, W) -> (N, seeds * (C + added), ceil(H / stride), ceil(W / stride))."""
        x = x[:, :, :: self.stride, :: self.stride].unflatten(1, (self.seeds, -1))
        return F.pad(x, (0, 0, 0, 0, 0, self.channels_added)).flatten(1, 2)


class EnsembleSqueezeExcite(nn.Module):
    """Squeeze-and-excitation of each seed over its own channels."""

    def __init__(self, seeds: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = EnsembleLinear(seeds, channels, hidden), EnsembleLinear(seeds, hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, seeds * C, H, W) -> the same shape."""
        hidden = F.relu(self.fc1(x.mean((2, 3))))
        weights = torch.sigmoid(self.fc2(hidden.flatten(1))).flatten(1)
        return x * weights[:, :, None, None]


class EnsembleScale(nn.Module):
    """One learnable factor for each seed."""

    def __init__(self, seeds: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.empty(seeds))

    def forward(self, x: Tensor) -> Tensor:
        """(N, seeds * C, H, W) -> the same shape."""
        return (x.unflatten(1, (len(self.factor), -1)) * self.factor[:, None, None, None]).flatten(1, 2)


@singledispatch
def merge_module(module: nn.Module, seeds: int) -> nn.Module:
    """What computes ``module`` for that many seeds; its values are unset."""
    if isinstance(module, SAME):
        return module
    raise TypeError(f"no joint form of {type(module).__name__}: register one in harness/models/seed_ensemble.py")


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
    """One network that computes all of ``networks``, which are of that variant and on one device.

    From then on their parameters and running statistics are views of its own: what trains it trains each of them, and
    each can still be used, saved and loaded by itself.
    """
    seeds, like = len(networks), next(networks[0].parameters())
    with torch.device("meta"):
        whole = Network(plan_layers(variant, 224))
        _replace(whole, seeds)
    whole = whole.to_empty(device=like.device).to(like.dtype).to(memory_format=memory_format)
    for name, parameter in whole.named_parameters():
        own = networks[0].get_parameter(name).shape
        for network, part in zip(networks, split_by_seed(parameter.data, own, seeds), strict=True):
            part.copy_(network.get_parameter(name).data)
            network.get_parameter(name).data = part
    for name, buffer in whole.named_buffers():
        place, _, key = name.rpartition(".")
        own = networks[0].get_buffer(name).shape
        for network, part in zip(networks, split_by_seed(buffer, own, seeds), strict=True):
            part.copy_(network.get_buffer(name))
            network.get_submodule(place).register_buffer(key, part)
    return whole


def split_by_seed(whole: Tensor, own: torch.Size, seeds: int) -> Iterator[Tensor]:
    """Each seed's share of a joint tensor, as views of shape ``own``; a count that all seeds share is each one's."""
    if whole.shape == own:
        return iter([whole] * seeds)
    return iter(whole.view(seeds, *own).unbind())


def _replace(parent: nn.Module, seeds: int) -> None:
    """Every module below by its joint form; those that only hold others stay."""
    for name, child in parent.named_children():
        if isinstance(child, SqueezeExciteBlock) or not any(True for _ in child.children()):
            setattr(parent, name, merge_module(child, seeds))
        else:
            _replace(child, seeds)
