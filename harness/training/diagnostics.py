"""What is watched beside loss and error."""

from __future__ import annotations

from torch import Tensor, nn


class GradientNorms:
    """Gradient norms of the first, middle and last convolution on the main path, or linear layer where none is."""

    def __init__(self, network: nn.Module) -> None:
        layers: list[nn.Conv2d | nn.Linear] = [
            module
            for name, module in network.named_modules()
            if isinstance(module, nn.Conv2d) and "downsample" not in name and module.weight.requires_grad
        ]
        layers = layers or [module for module in network.modules() if isinstance(module, nn.Linear)]
        places = {"grad/first": 0, "grad/middle": len(layers) // 2, "grad/last": -1} if layers else {}
        self.watched = {key: layers[place] for key, place in places.items()}

    def measure(self) -> dict[str, Tensor]:
        """Euclidean norms of the gradients as they stand, left on the device."""
        return {
            key: layer.weight.grad.detach().norm()
            for key, layer in self.watched.items()
            if layer.weight.grad is not None
        }
