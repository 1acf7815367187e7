"""What is decided after a stage of an adaptive experiment. The driver reads it; the analysis itself is in reporting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.specs.experiment.resolved_experiment import ResolvedExperiment


@dataclass(frozen=True)
class ContrastState:
    """The state of one declared contrast after a stage.

    Attributes:
        title: The claim, in a few words.
        state: ``supported``, ``contradicted`` or ``undecided``.
        n: Pairs of seeds that the state rests on.
        needed: What is still undecided, in a few words; empty for a decided contrast.
        futile: Why more seeds would hardly decide it, in a sentence; empty where they may.
    """

    title: str
    state: str
    n: int = 0
    needed: str = ""
    futile: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the contrast needs a further stage."""
        return self.state == "undecided" and not self.futile


@dataclass(frozen=True)
class StageDecision:
    """The states of all declared contrasts after a stage, in their order.

    Attributes:
        stage: Number of declared seeds of the stage.
        contrasts: One state for each contrast.
    """

    stage: int
    contrasts: tuple[ContrastState, ...]

    @property
    def open(self) -> frozenset[int]:
        """Indices of the contrasts that need a further stage."""
        return frozenset(index for index, contrast in enumerate(self.contrasts) if contrast.is_open)


DecideStage = Callable[[ResolvedExperiment, int], StageDecision]
"""Analyses the declared contrasts over the first so many seeds of the record, and records the analysis."""
