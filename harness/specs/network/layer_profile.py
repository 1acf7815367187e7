"""What a trial measured in each of its layers at one step. No torch here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from harness.specs.identity import Spec

MOST = 256
"""Layers of which values are kept; of a deeper network as many, evenly spaced: 1,202 of them draw the same line."""
DIGITS = 4
Value = Annotated[float, Field(ge=0)] | None


class LayerProfile(Spec):
    """Values of the layers on the main path, in order of execution; None stands for one that is not finite.

    Attributes:
        layers: How many there are: convolutions, or linear layers in a network without.
        normalised: Whether ``response`` is of what each layer's own norm gives, else of the layer's own output.
        gradient: Euclidean norm of the gradient of each layer's weight, before any clipping.
        response: Standard deviation over all elements of each layer's response, before nonlinearity and addition
            (He et al. 2015, fig. 7); empty where it was not measured.
    """

    layers: int = Field(gt=0)
    normalised: bool = False
    gradient: tuple[Value, ...]
    response: tuple[Value, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        kept = min(self.layers, MOST)
        if len(self.gradient) != kept or len(self.response) not in (0, kept):
            raise ValueError(f"expected {kept} values of {self.layers} layers")
        return self

    @classmethod
    def of(cls, gradient: Sequence[float], response: Sequence[float], normalised: bool) -> LayerProfile:
        """From one value per layer, rounded to four digits."""
        chosen = [number - 1 for number in kept_layers(len(gradient))]
        spread = [_rounded(response[index]) for index in chosen]
        return cls(
            layers=len(gradient),
            normalised=normalised,
            gradient=tuple(_rounded(gradient[index]) for index in chosen),
            response=tuple(spread) if any(value is not None for value in spread) else (),
        )


def kept_layers(layers: int) -> list[int]:
    """Which of so many layers, counted from 1, are kept: all up to 256, else as many, both ends among them."""
    if layers <= MOST:
        return list(range(1, layers + 1))
    return [1 + round(index * (layers - 1) / (MOST - 1)) for index in range(MOST)]


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
