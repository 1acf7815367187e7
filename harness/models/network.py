"""One network class builds every variant from its layer plan.

Parameter names equal torchvision's (``conv1``, ``layer1.0.bn2``, ``layer2.0.downsample.0``, ``fc``), so that
its ResNet state dicts load strictly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.models.modules import activation, module
from harness.specs import LayerPlan, Variant
from harness.specs.streams import stream_seed
from harness.specs.variant import Block


class ResidualBlock(nn.Module):
    """Convolution, norm, activation in a row; the shortcut is added before the last activation.

    He et al. 2015, eq. 1 and 2. In a plain network ``plan.shortcut`` is None and nothing is added.
    """

    downsample: nn.Module | None

    def __init__(self, plan: Block, variant: Variant) -> None:
        super().__init__()
        self.convs = len(plan.main)
        self.residual = plan.shortcut is not None
        for number, (conv, norm) in enumerate(plan.main, start=1):
            self.add_module(f"conv{number}", module(conv, variant.norm))
            self.add_module(f"bn{number}", module(norm, variant.norm))
        self.act = activation(variant.activation)
        self.downsample = None
        if plan.shortcut:
            self.downsample = nn.Sequential(*(module(layer, variant.norm) for layer in plan.shortcut))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the shape that the plan gives the block's output."""
        out = x
        for number in range(1, self.convs + 1):
            out = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(out))
            if number < self.convs:
                out = self.act(out)
        if self.residual:
            out = out + (x if self.downsample is None else self.downsample(x))
        return self.act(out)


class Network(nn.Module):
    """Stem, stages of blocks, global average pooling, classifier: all as the plan lists them."""

    def __init__(self, plan: LayerPlan) -> None:
        super().__init__()
        variant = plan.variant
        self.stem = [layer.name for layer in plan.stem]
        for layer in plan.stem:
            self.add_module(layer.name, module(layer, variant.norm))
        self.act = activation(variant.activation)
        self.stages = [f"layer{number}" for number in range(1, len(plan.stages) + 1)]
        for name, stage in zip(self.stages, plan.stages, strict=True):
            self.add_module(name, nn.Sequential(*(ResidualBlock(block, variant) for block in stage)))
        self.fc = module(plan.head, variant.norm)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) images -> (N, classes) logits."""
        for name in self.stem:
            x = getattr(self, name)(x)
            if name == "bn1":
                x = self.act(x)
        for name in self.stages:
            x = getattr(self, name)(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


@torch.no_grad()
def initialise(network: Network, seed: int) -> None:
    """He initialisation with fan-out for convolutions, 1 and 0 for norms, torch's default for the classifier.

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
            layer.weight.fill_(1)
            layer.bias.zero_()
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()


def build(variant: Variant, seed: int | None = None, device: torch.device | str = "cpu") -> Network:
    """The network of ``variant``, initialised from ``seed``.

    Without a seed the values are left as they are in memory (for a state dict to fill); on the meta device
    there are none.
    """
    with torch.device("meta"):
        # The plan's shapes do not change the network, which takes images of any size.
        network = Network(variant.plan(224))
    if torch.device(device).type == "meta":
        return network
    network = network.to_empty(device=device)
    if seed is not None:
        initialise(network, seed)
    return network
