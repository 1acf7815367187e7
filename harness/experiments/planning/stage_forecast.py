"""Costs that an adaptive experiment may still have: the least, the expected and the most trials and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.specs.adaptive.stage_decision import StageDecision

Chances = Mapping[int, Sequence[float]]
"""For each open contrast by its index, the chance that it is decided at or before each declared stage."""


@dataclass(frozen=True)
class Amount:
    """Trials that are left to train, and the seconds they take at the plan's concurrency."""

    trials: float
    seconds: float


@dataclass(frozen=True)
class StageForecast:
    """The costs that an adaptive experiment may still have.

    Attributes:
        least: If the next stage decides every contrast.
        expected: The mean over what may happen, under the assumption.
        most: If no further stage decides any contrast.
        assumption: What the expected amount assumes, in a sentence.
        stages: Declared numbers of seeds.
        ends: Chance that no further stage follows each of them, under the assumption.
        decision: The state of each contrast so far; None before the first stage is analysed.
        end: Why no further stage follows, in a sentence; empty while one does.
    """

    least: Amount
    expected: Amount
    most: Amount
    assumption: str
    stages: tuple[int, ...]
    ends: tuple[float, ...]
    decision: StageDecision | None = None
    end: str = ""
