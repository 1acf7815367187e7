"""The layer profile: gradient norms and responses that a trial measures in its layers at one training step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from harness.specs.identity import Spec

MAX_LAYERS = 256
"""Layers that a profile holds. Of a deeper network it holds 256 evenly spaced ones, which draw the same curve."""
DIGITS = 4
"""Significant digits of each value."""
Value = Annotated[float, Field(ge=0)] | None


class LayerProfile(Spec):
    """Measured values of the layers on the main path, in order of execution; None stands for infinity and NaN.

    Attributes:
        layers: Number of convolutions of the network, or of linear layers if it has no convolution.
        normalised: Whether ``response`` was measured after each layer's norm; else at the layer's own output.
        gradient: Euclidean norm of the gradient of each layer's weight, before clipping.
        response: Standard deviation over all elements of each layer's output, before the activation and the addition
            of the shortcut (He et al. 2015, fig. 7); empty if it was not measured.
    """

    layers: int = Field(gt=0)
    normalised: bool = False
    gradient: tuple[Value, ...]
    response: tuple[Value, ...] = ()

    @model_validator(mode="after")
    def _has_matching_lengths(self) -> Self:
        kept = min(self.layers, MAX_LAYERS)
        if len(self.gradient) != kept or len(self.response) not in (0, kept):
            raise ValueError(f"a profile of {self.layers} layers needs {kept} values of each kind")
        return self

    @classmethod
    def from_values(cls, gradient: Sequence[float], response: Sequence[float], normalised: bool) -> LayerProfile:
        """Return the profile with one measured value of each layer, rounded to four significant digits."""
        indices = [number - 1 for number in sampled_layers(len(gradient))]
        responses = [_round_value(response[index]) for index in indices]
        return cls(
            layers=len(gradient),
            normalised=normalised,
            gradient=tuple(_round_value(gradient[index]) for index in indices),
            response=tuple(responses) if any(value is not None for value in responses) else (),
        )


def sampled_layers(layers: int) -> list[int]:
    """Return the numbers (from 1) of the layers that a profile holds: all up to 256, else 256 from first to last."""
    if layers <= MAX_LAYERS:
        return list(range(1, layers + 1))
    return [1 + round(index * (layers - 1) / (MAX_LAYERS - 1)) for index in range(MAX_LAYERS)]


def _round_value(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
