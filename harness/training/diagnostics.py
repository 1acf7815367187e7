"""What is watched beside loss and error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor, nn

from harness.specs.layer_profile import LayerProfile

Watched: TypeAlias = nn.Conv2d | nn.Linear
NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d, nn.SyncBatchNorm)
"""Just these, no subclasses: some of other libraries have the activation in them."""


def watched_layers(network: nn.Module) -> list[Watched]:
    """The convolutions on the main path that learn, in the order of the network's modules; linear layers where none."""
    layers: list[Watched] = [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and "downsample" not in name and module.weight.requires_grad
    ]
    return layers or [module for module in network.modules() if isinstance(module, nn.Linear)]


class GradientNorms:
    """Gradient norms of the first, middle and last convolution on the main path, or linear layer where none is."""

    def __init__(self, network: nn.Module) -> None:
        layers = watched_layers(network)
        places = {"grad/first": 0, "grad/middle": len(layers) // 2, "grad/last": -1} if layers else {}
        self.watched = {key: layers[place] for key, place in places.items()}

    def measure(self) -> dict[str, Tensor]:
        """Euclidean norms of the gradients as they stand, left on the device."""
        return {
            key: layer.weight.grad.detach().norm()
            for key, layer in self.watched.items()
            if layer.weight.grad is not None
        }


class LayerProbe:
    """Gradient norm and spread of the response of every watched layer, from a training step as it is taken.

    It listens to the forward pass of that step: there is no second one, so nothing is drawn at random, no running
    statistic of a norm moves, and the step's results are those of one that nobody listens to.

    Args:
        network: What is trained.
        responses: Whether to listen; a compiled network may not be listened to, and then gives gradients alone.
        spread: Of a response; of a network of several seeds, one value for each.
    """

    def __init__(
        self, network: nn.Module, responses: bool = True, spread: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.network, self.responses = network, responses
        self.spread = spread or _spread
        self.layers = watched_layers(network)
        self._heard: dict[Watched, tuple[Tensor, Tensor | None]] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the responses of the forward passes within; of several (micro-batches) the last counts."""
        self._heard.clear()
        newest: list[tuple[Watched, Tensor]] = []

        def of_layer(layer: Watched, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            # At once: an activation in place may overwrite it.
            self._heard[layer] = (self.spread(output), None)
            newest[:] = [(layer, output)]

        def of_norm(norm: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if newest and inputs and inputs[0] is newest[0][1]:
                layer = newest.pop()[0]
                self._heard[layer] = (self._heard[layer][0], self.spread(output))

        hooks = []
        if self.responses:
            hooks += [layer.register_forward_hook(of_layer) for layer in self.layers]
            norms = [module for module in self.network.modules() if type(module) in NORMS]
            hooks += [norm.register_forward_hook(of_norm) for norm in norms]
        try:
            yield
        finally:
            newest.clear()
            for hook in hooks:
                hook.remove()

    def hand_out(self, probes: Sequence[LayerProbe]) -> None:
        """Give what was heard of a network of several seeds to the probe of each seed's own."""
        places = {layer: place for place, layer in enumerate(self.layers)}
        for layer, (own, norm) in self._heard.items():
            for seed, probe in enumerate(probes):
                heard = own[seed], None if norm is None else norm[seed]
                probe._heard[probe.layers[places[layer]]] = heard
        self._heard.clear()

    def measure(self) -> dict[str, Tensor]:
        """``gradient`` and ``response`` (layers,), and ``normalised``, on the device; empty without layers.

        In order of execution. Responses are those of the layers' norms where each layer has one, else
        (pre-activated networks, and such without norms) those of the layers themselves, so that one line never
        mixes the two; NaN where nobody listened.
        """
        layers = list(self._heard) or self.layers
        if not layers:
            return {}
        unknown = torch.full((), torch.nan, device=layers[0].weight.device)
        normalised = bool(self._heard) and all(norm is not None for _, norm in self._heard.values())
        gradients, responses = [], []
        for layer in layers:
            own, norm = self._heard.get(layer, (unknown, None))
            responses.append(norm if normalised and norm is not None else own)
            gradients.append(unknown if layer.weight.grad is None else layer.weight.grad.detach().float().norm())
        self._heard.clear()
        return {
            "gradient": torch.stack(gradients),
            "response": torch.stack(responses),
            "normalised": torch.tensor(normalised),
        }


def _spread(response: Tensor) -> Tensor:
    return response.detach().float().std(correction=0)


def spread_of_each(response: Tensor, seeds: int) -> Tensor:
    """(N, seeds * C, H, W) -> (seeds,): the same of each seed's channels."""
    return response.detach().float().unflatten(1, (seeds, -1)).transpose(0, 1).flatten(1).std(1, correction=0)


def profile(values: dict[str, Tensor]) -> LayerProfile | None:
    """What a :class:`LayerProbe` measured, for the record."""
    if not values:
        return None
    return LayerProfile.of(values["gradient"].tolist(), values["response"].tolist(), bool(values["normalised"]))
