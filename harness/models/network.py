"""The network class: it builds every variant from its layer plan.

Parameters have the names of torchvision's ResNets (``conv1``, ``layer1.0.bn2``, ``layer2.0.downsample.0``, ``fc``), so
that torchvision's state dicts can be loaded.
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


def _add_layers(parent: nn.Module, layers: Iterable[Layer], variant: Variant) -> list[str]:
    """Add layers to ``parent`` under the last part of their names, and return these names."""
    names = []
    for layer in layers:
        name = layer.name.rpartition(".")[2]
        parent.add_module(name, build_module(layer, variant))
        names.append(name)
    return names


class ResidualBlock(nn.Module):
    """A block as the plan lists it: ``after(main(x) + shortcut(x))`` (He et al. 2015, eq. 1 and 2).

    In a plain network nothing is added.
    """

    downsample: nn.Module | None

    def __init__(self, plan: Block, variant: Variant) -> None:
        super().__init__()
        self.before, self.main, self.after = (
            _add_layers(self, layers, variant) for layers in (plan.before, plan.main, plan.after)
        )
        self.is_residual = plan.shortcut is not None
        self.downsample = None
        if plan.shortcut:
            self.downsample = nn.Sequential(*(build_module(layer, variant) for layer in plan.shortcut))

    def forward(self, x: Tensor, factors: Tensor | None = None) -> Tensor:
        """Map (N, C, H, W) to the shape of the block's output in the plan.

        Args:
            factors: Factor on the main path of each image, (N,): 0 if the image skips the block.
        """
        for name in self.before:
            x = getattr(self, name)(x)
        out = x
        for name in self.main:
            out = getattr(self, name)(out)
        if factors is not None:
            out = out * factors[:, None, None, None]
        if self.is_residual:
            out = out + (x if self.downsample is None else self.downsample(x))
        for name in self.after:
            out = getattr(self, name)(out)
        return out


class Network(nn.Module):
    """A network as the plan lists it: stem, stages of blocks, global average pooling and classifier.

    Attributes:
        initial_scales: Initial value of each norm's scale, by the norm's name.
    """

    def __init__(self, plan: LayerPlan) -> None:
        super().__init__()
        variant = plan.variant
        self.stem = _add_layers(self, plan.stem, variant)
        self.stages = [f"layer{number}" for number in range(1, len(plan.stages) + 1)]
        for name, stage in zip(self.stages, plan.stages, strict=True):
            self.add_module(name, nn.Sequential(*(ResidualBlock(block, variant) for block in stage)))
        self.tail = _add_layers(self, plan.tail, variant)
        self.fc = build_module(plan.head, variant)
        survival = [block.survival for stage in plan.stages for block in stage]
        self.survival = survival if variant.stochastic_depth else None
        self.initial_scales = {layer.name: layer.initial for layer in plan.layers() if isinstance(layer, Norm)}

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, channels, H, W) to logits (N, classes)."""
        factors = self.draw_path_factors(len(x), x) if self.training and self.survival is not None else None
        for name in self.stem:
            x = getattr(self, name)(x)
        number = 0
        for name in self.stages:
            for block in getattr(self, name):
                x = block(x, None if factors is None else factors[number])
                number += 1
        for name in self.tail:
            x = getattr(self, name)(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits

    def features(self, x: Tensor, stage: int) -> Tensor:
        """Map images (N, channels, H, W) to the output (N, C, H', W') of a stage, for transfer to other tasks.

        Args:
            stage: Number of the stage, from 1; 0 is the stem.
        """
        for name in [*self.stem, *self.stages[:stage]]:
            x = getattr(self, name)(x)
        return x

    @torch.compiler.disable
    def draw_path_factors(self, images: int, like: Tensor) -> Tensor:
        """Return factors (blocks, images): 1/p with probability p, if the image takes the main path; else 0.

        They are drawn from torch's default generator on the CPU, so they are the same on every device.
        """
        assert self.survival is not None
        survival = torch.tensor(self.survival)[:, None]
        takes_main_path = torch.rand(len(self.survival), images, device="cpu") < survival
        # Waiting for the copy would leave the device idle between steps.
        return (takes_main_path / survival).to(like.device, like.dtype, non_blocking=True)


@torch.no_grad()
def initialise(network: Network, seed: int) -> None:
    """Initialise a network like torchvision's ResNets (He et al. 2015, arXiv 1502.01852).

    Convolutions get He initialisation with fan-out, norms 1 and 0, linear layers torch's default. Each layer draws
    from a random stream of its own, so the layers that twins share start from the same values.
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
            layer.weight.fill_(network.initial_scales[name])
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
    """Return the network of a variant.

    Pretrained weights of the variant replace the initialisation.

    Args:
        seed: Seed of the initialisation. None leaves the values of memory, for a state dict to replace; an external
            network then has its library's initialisation.
        device: Device of the parameters; on the meta device they have no values.

    Raises:
        HarnessError: An external network cannot be built, or the pretrained weights do not fit.
    """
    if isinstance(variant, ExternalNetwork):
        network = build_external(variant, seed, device)
    else:
        with torch.device("meta"):
            # The network accepts images of any size, so any size serves for the plan.
            network = planned = Network(plan_layers(variant, 224))
        if torch.device(device).type == "meta":
            return network
        network = network.to_empty(device=device)
        if seed is not None:
            initialise(planned, seed)
    if variant.weights is not None and seed is not None:
        apply_weights(network, variant.weights, variant.classes)
    return network
