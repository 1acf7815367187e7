"""The decision after a stage of an adaptive experiment. The driver reads it; the analysis itself is in reporting."""

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

    def short(self) -> str:
        """Return the state without what is open, for a line of a progress display."""
        return f"{self.title}: {self.state}{' (no further stage)' if self.futile else ''} at n = {self.n}"

    def __str__(self) -> str:
        """Return the state with what is still open."""
        open_part = f" ({self.needed})" if self.needed else ""
        return f"{self.title}: {self.state} at n = {self.n}{open_part}{f'. {self.futile}' if self.futile else ''}"


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


@dataclass(frozen=True)
class StagePosition:
    """The present stage of an adaptive experiment.

    Attributes:
        seeds: Number of declared seeds of the present stage.
        stages: Those of all stages, rising.
        decision: What the stage before decided; None in the first one.
    """

    seeds: int
    stages: tuple[int, ...]
    decision: StageDecision | None = None

    @property
    def number(self) -> int:
        """Number of the present stage, from 1."""
        return self.stages.index(self.seeds) + 1

    def __str__(self) -> str:
        """Return the position, such as ``stage 2 of 7 (12 of at most 32 seeds)``."""
        return f"stage {self.number} of {len(self.stages)} ({self.seeds} of at most {self.stages[-1]} seeds)"


AnalyseStage = Callable[[ResolvedExperiment, int], StageDecision]
"""Analyses the declared contrasts over the first so many seeds of the record, and records the analysis."""
