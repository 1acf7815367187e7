"""The result of a run: how its trials ended, and what is left for the next run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from harness.specs import ResolvedExperiment
from harness.specs.adaptive.stage_decision import StageDecision
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS


@dataclass(frozen=True)
class StageEnd:
    """Why a run of an adaptive experiment starts no further stage.

    Attributes:
        reason: ``decided``: every contrast is. ``futile``: the others would hardly be. ``most``: all seeds are
            trained. ``budget``: there is no time for a further stage. ``failed``: trials failed, so that a stage or a
            contrast has no new pair.
        text: The same for the user, in a sentence.
    """

    reason: Literal["decided", "futile", "most", "budget", "failed"]
    text: str


@dataclass
class RunResult:
    """The result of a run. It names trials by their labels.

    Attributes:
        trained: Number of trials that this run trained to their end.
        failed: Error message of each failed trial.
        interrupted: Trials that were not trained to their end, because the run stopped.
        unpublished: Trials that are trained, but not yet in the record.
        store_error: Last error of the tracking store; empty if it accepted everything.
        stop_reason: Why the run stopped early; empty if it did not.
        seconds: Wall time of the training.
        checkpointed: The interrupted trials that have a checkpoint. The others have not started, or start again.
        unplanned: Trials of an adaptive experiment that none of its stages has needed so far.
        stage_end: Why an adaptive experiment started no further stage; None where it has stages to come, or has none.
        decision: What the last analysed stage of an adaptive experiment decided; None where none was analysed.
    """

    trained: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    interrupted: list[str] = field(default_factory=list)
    unpublished: list[str] = field(default_factory=list)
    store_error: str = ""
    stop_reason: str = ""
    seconds: float = 0.0
    checkpointed: list[str] = field(default_factory=list)
    unplanned: tuple[str, ...] = ()
    stage_end: StageEnd | None = None
    decision: StageDecision | None = None

    @property
    def is_incomplete(self) -> bool:
        """Whether something is left for another run."""
        return bool(self.failed or self.interrupted or self.store_error)

    def describe_interrupted(self) -> str:
        """Return how many interrupted trials have a checkpoint and how many do not, such as ``2 checkpointed``."""
        without = len(self.interrupted) - len(self.checkpointed)
        counts = {"checkpointed": len(self.checkpointed), "not started": without}
        return ", ".join(f"{count} {word}" for word, count in counts.items() if count)

    def has_results(self, study: ResolvedExperiment) -> bool:
        """Return whether at least one compared trial of the experiment is in the record."""
        without = {*self.failed, *self.interrupted, *self.unplanned}
        return any(trial.label not in without for trial in study.trials)

    def is_report_due(self, study: ResolvedExperiment) -> bool:
        """Return whether the run should end with a report.

        An interrupted run with declared contrasts should not: verdicts on a part of its seeds would be an interim look
        that the user did not ask for.
        """
        contrasts = study.experiment.contrasts
        is_early = self.interrupted and contrasts and len(study.experiment.seeds) >= SEEDS_FOR_CLAIMS
        return not self.store_error and self.has_results(study) and not is_early

    def followed_by(self, later: RunResult) -> RunResult:
        """Return the joint result of this and a later part of the same run."""
        return RunResult(
            self.trained + later.trained,
            self.failed | later.failed,
            [*self.interrupted, *later.interrupted],
            [*self.unpublished, *later.unpublished],
            later.store_error or self.store_error,
            later.stop_reason or self.stop_reason,
            self.seconds + later.seconds,
            [*self.checkpointed, *later.checkpointed],
            later.unplanned,
            later.stage_end,
            later.decision,
        )
