"""One network class builds every variant from its layer plan.

Parameter names equal torchvision's (``conv1``, ``layer1.0.bn2``, ``layer2.0.downsample.0``, ``fc``), so that
its ResNet state dicts load strictly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import overload

import torch
from torch import Tensor, nn

from harness.models.external import build_external
from harness.models.modules import BranchScale, build_module
from harness.models.weights import apply_weights
from harness.specs import ExternalNetwork, LayerPlan, Variant
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.layer_plan import Block, plan_layers
from harness.specs.network.layers import Layer, Norm
from harness.specs.random_streams import stream_seed


def _add(parent: nn.Module, layers: Iterable[Layer], variant: Variant) -> list[str]:
    """Make the layers children of ``parent``, under the last part of their names; these names."""
    names = []
    for layer in layers:
        name = layer.name.rpartition(".")[2]
        parent.add_module(name, build_module(layer, variant))
        names.append(name)
    return names


class ResidualBlock(nn.Module):
    """``after(main(x) + shortcut(x))``, all as the plan lists it; He et al. 2015, eq. 1 and 2.

    In a plain network ``plan.shortcut`` is None and nothing is added.
    """

    downsample: nn.Module | None

    def __init__(self, plan: Block, variant: Variant) -> None:
        super().__init__()
        self.before, self.main, self.after = (
            _add(self, layers, variant) for layers in (plan.before, plan.main, plan.after)
        )
        self.residual = plan.shortcut is not None
        self.downsample = None
        if plan.shortcut:
            self.downsample = nn.Sequential(*(build_module(layer, variant) for layer in plan.shortcut))

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """(N, C, H, W) -> the shape that the plan gives the block's output.

        Args:
            kept: Factor on each image's main path, (N,): 0 where it skips the block.
        """
        for name in self.before:
            x = getattr(self, name)(x)
        out = x
        for name in self.main:
            out = getattr(self, name)(out)
        if kept is not None:
            out = out * kept[:, None, None, None]
        if self.residual:
            out = out + (x if self.downsample is None else self.downsample(x))
        for name in self.after:
            out = getattr(self, name)(out)
        return out


class Network(nn.Module):
    """Stem, stages of blocks, global average pooling, classifier: all as the plan lists them.

    Attributes:
        initial: Of each norm's scale, by its name.
    """

    def __init__(self, plan: LayerPlan) -> None:
        super().__init__()
        variant = plan.variant
        self.stem = _add(self, plan.stem, variant)
        self.stages = [f"layer{number}" for number in range(1, len(plan.stages) + 1)]
        for name, stage in zip(self.stages, plan.stages, strict=True):
            self.add_module(name, nn.Sequential(*(ResidualBlock(block, variant) for block in stage)))
        self.tail = _add(self, plan.tail, variant)
        self.fc = build_module(plan.head, variant)
        survival = [block.survival for stage in plan.stages for block in stage]
        self.survival = survival if variant.stochastic_depth else None
        self.initial = {layer.name: layer.initial for layer in plan.layers() if isinstance(layer, Norm)}

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) images -> (N, classes) logits."""
        kept = self._kept(len(x), x) if self.training and self.survival is not None else None
        for name in self.stem:
            x = getattr(self, name)(x)
        number = 0
        for name in self.stages:
            for block in getattr(self, name):
                x = block(x, None if kept is None else kept[number])
                number += 1
        for name in self.tail:
            x = getattr(self, name)(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits

    def features(self, x: Tensor, stage: int) -> Tensor:
        """(N, channels, H, W) images -> what ``stage`` (from 1; 0 is the stem) gives: (N, C, H', W'), for transfer."""
        for name in [*self.stem, *self.stages[:stage]]:
            x = getattr(self, name)(x)
        return x

    @torch.compiler.disable
    def _kept(self, images: int, like: Tensor) -> Tensor:
        """(blocks, images): 1/p where an image takes a block's main path, which it does with probability p, else 0.

        Drawn from torch's default generator of the CPU: the same on every device.
        """
        assert self.survival is not None
        survival = torch.tensor(self.survival)[:, None]
        taken = torch.rand(len(self.survival), images, device="cpu") < survival
        # Without waiting for the device: it would run dry between steps.
        return (taken / survival).to(like.device, like.dtype, non_blocking=True)


@torch.no_grad()
def initialise(network: Network, seed: int) -> None:
    """He initialisation with fan-out for convolutions, 1 and 0 for norms, torch's default for linear layers.

    He et al. 2015 (arXiv 1502.01852), as torchvision's ResNets. Each parameter draws from a stream of its own,
    named after it: the layers that twins share start from the same values.
    """
    for name, layer in network.named_modules():
        generator = torch.Generator().manual_seed(stream_seed(seed, "initialisation", name))
        if isinstance(layer, nn.Conv2d):
            values = torch.empty(layer.weight.shape)
            nn.init.kaiming_normal_(values, mode="fan_out", nonlinearity="relu", generator=generator)
            layer.weight.copy_(values)
        elif isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
            for parameter in (layer.weight, layer.bias):
                parameter.copy_(torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator))
        elif isinstance(layer, nn.BatchNorm2d | nn.GroupNorm):
            layer.weight.fill_(network.initial[name])
            layer.bias.zero_()
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
        elif isinstance(layer, BranchScale):
            layer.factor.fill_(layer.initial)


@overload
def build(variant: Variant, seed: int | None = None, device: torch.device | str = "cpu") -> Network: ...
@overload
def build(variant: AnyVariant, seed: int | None = None, device: torch.device | str = "cpu") -> nn.Module: ...
def build(variant: AnyVariant, seed: int | None = None, device: torch.device | str = "cpu") -> nn.Module:
    """The network of ``variant``, initialised from ``seed``.

    Without a seed the values are left as they are in memory (for a state dict to fill); on the meta device
    there are none. Foreign networks always have their own initialisation. A spec's weights then take its place.

    Raises:
        HarnessError: A foreign network cannot be made.
    """
    if isinstance(variant, ExternalNetwork):
        network = build_external(variant, seed, device)
    else:
        with torch.device("meta"):
            # The plan's shapes do not change the network, which takes images of any size.
            network = ours = Network(plan_layers(variant, 224))
        if torch.device(device).type == "meta":
            return network
        network = network.to_empty(device=device)
        if seed is not None:
            initialise(ours, seed)
    if variant.weights is not None and seed is not None:
        apply_weights(network, variant.weights, variant.classes)
    return network
