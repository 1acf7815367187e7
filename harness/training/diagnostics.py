"""Gradient norms and responses of single layers, measured in the training steps themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from harness.specs.network.layer_profile import LayerProfile

MeasuredLayer: TypeAlias = nn.Conv2d | nn.Linear
NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d, nn.SyncBatchNorm)
"""Only these classes, not their subclasses: those of other libraries may contain the activation."""


def find_measured_layers(network: nn.Module) -> list[MeasuredLayer]:
    """Return the trainable convolutions of the main path, in the order of the network's modules.

    A network without them gives its linear layers.
    """
    layers: list[MeasuredLayer] = [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and "downsample" not in name and module.weight.requires_grad
    ]
    return layers or [module for module in network.modules() if isinstance(module, nn.Linear)]


class GradientNorms:
    """The gradient norms of the first, middle and last of a network's measured layers."""

    def __init__(self, network: nn.Module) -> None:
        layers = find_measured_layers(network)
        indices = {"grad/first": 0, "grad/middle": len(layers) // 2, "grad/last": -1} if layers else {}
        self.layers = {key: layers[index] for key, index in indices.items()}

    def measure(self) -> dict[str, Tensor]:
        """Return the Euclidean norms of the present gradients, on the device."""
        return {
            key: layer.weight.grad.detach().norm()
            for key, layer in self.layers.items()
            if layer.weight.grad is not None
        }


class Response(NamedTuple):
    """The standard deviation of what a layer returned, and of what its norm layer made of that (None without one)."""

    layer: Tensor
    norm: Tensor | None


class LayerProbe:
    """Gradient norm and response of every measured layer, taken from a training step.

    The response of a layer is the standard deviation of its output. The probe records it in the forward pass of the
    step itself. There is no second pass, so the probe changes no result of the step: it draws no random number and
    moves no running statistic.

    Args:
        network: The network that is trained.
        responses: Whether to record responses. A compiled network allows no hooks: only its gradients are measured.
        spread: Standard deviation of an output; for a network of several seeds, one value for each.
    """

    def __init__(
        self, network: nn.Module, responses: bool = True, spread: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.network, self.responses = network, responses
        self.spread = spread or _spread
        self.layers = find_measured_layers(network)
        self._recorded: dict[MeasuredLayer, Response] = {}

    @contextmanager
    def record(self) -> Iterator[None]:
        """Record the responses of the forward passes in the block; with micro-batches, those of the last one."""
        self._recorded.clear()
        # The layer whose output no other layer or norm has received yet, and that output.
        newest: list[tuple[MeasuredLayer, Tensor]] = []

        def record_layer(layer: MeasuredLayer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            # Measured now, because an activation in place may overwrite the output.
            self._recorded[layer] = Response(self.spread(output), None)
            newest[:] = [(layer, output)]

        def record_norm(norm: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if newest and inputs and inputs[0] is newest[0][1]:
                layer = newest.pop()[0]
                self._recorded[layer] = self._recorded[layer]._replace(norm=self.spread(output))

        hooks = []
        if self.responses:
            hooks += [layer.register_forward_hook(record_layer) for layer in self.layers]
            norms = [module for module in self.network.modules() if type(module) in NORMS]
            hooks += [norm.register_forward_hook(record_norm) for norm in norms]
        try:
            yield
        finally:
            newest.clear()
            for hook in hooks:
                hook.remove()

    def split_by_seed(self, probes: Sequence[LayerProbe]) -> None:
        """Move the recorded responses of a network of several seeds to the probes of the single seeds."""
        index_of = {layer: index for index, layer in enumerate(self.layers)}
        for layer, (own, norm) in self._recorded.items():
            for seed, probe in enumerate(probes):
                response = Response(own[seed], None if norm is None else norm[seed])
                probe._recorded[probe.layers[index_of[layer]]] = response
        self._recorded.clear()

    def measure(self) -> dict[str, Tensor]:
        """Return the measurements of the step, on the device, and forget them; ``{}`` for a network without layers.

        Where every layer has a norm of its own, the responses are those of the norms; else those of the layers (as in
        pre-activated networks and those without norms). So one profile never mixes the two.

        Returns:
            ``gradient`` and ``response`` (layers,) in order of execution, responses NaN where none was recorded, and
            ``normalised`` (): whether the responses are those of the norms.
        """
        layers = list(self._recorded) or self.layers
        if not layers:
            return {}
        unknown = torch.full((), torch.nan, device=layers[0].weight.device)
        normalised = bool(self._recorded) and all(norm is not None for _, norm in self._recorded.values())
        gradients, responses = [], []
        for layer in layers:
            own, norm = self._recorded.get(layer, Response(unknown, None))
            responses.append(norm if normalised and norm is not None else own)
            gradients.append(unknown if layer.weight.grad is None else layer.weight.grad.detach().float().norm())
        self._recorded.clear()
        return {
            "gradient": torch.stack(gradients),
            "response": torch.stack(responses),
            "normalised": torch.tensor(normalised),
        }


def _spread(output: Tensor) -> Tensor:
    return output.detach().float().std(correction=0)


def measure_spread_by_seed(output: Tensor, seeds: int) -> Tensor:
    """Return the standard deviation of each seed's channels: (N, seeds * C, H, W) -> (seeds,)."""
    return output.detach().float().unflatten(1, (seeds, -1)).transpose(0, 1).flatten(1).std(1, correction=0)


def build_layer_profile(measurements: dict[str, Tensor]) -> LayerProfile | None:
    """Return what :meth:`LayerProbe.measure` returned as the record keeps it; None for ``{}``."""
    if not measurements:
        return None
    return LayerProfile.from_values(
        measurements["gradient"].tolist(), measurements["response"].tolist(), bool(measurements["normalised"])
    )
