"""What is watched beside loss and error."""

from __future__ import annotations

from torch import Tensor, nn


class GradientNorms:
    """Gradient norms of the first, middle and last convolution on the main path."""

    def __init__(self, network: nn.Module) -> None:
        convs = [
            module
            for name, module in network.named_modules()
            if isinstance(module, nn.Conv2d) and "downsample" not in name
        ]
        self.watched = {"grad/first": convs[0], "grad/middle": convs[len(convs) // 2], "grad/last": convs[-1]}

    def measure(self) -> dict[str, Tensor]:
        """Euclidean norms of the gradients as they stand, left on the device."""
        return {
            key: conv.weight.grad.detach().norm() for key, conv in self.watched.items() if conv.weight.grad is not None
        }
