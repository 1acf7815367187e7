"""Futility: whether further stages would hardly decide a contrast.

It is non-binding. The levels of the stages do not count on it, so an experiment may go on all the same.
"""

from __future__ import annotations

from harness.reporting.stages.prediction import predict_decision
from harness.reporting.statistics.intervals import Floats
from harness.reporting.verdicts.sentences.failures import describe_untrainable
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import ResolvedExperiment
from harness.specs.declarations.batches import level_share


def predict_open(verdict: Verdict, study: ResolvedExperiment, decided: int) -> Floats | None:
    """Return the chance that an open contrast is decided at or before each stage, see :func:`predict_decision`.

    Args:
        decided: Number of the experiment's other verdicts that are decided, by which Holm's method raises the level.
    """
    decide = study.experiment.decide
    if decide is None or verdict.state != "undecided" or verdict.p is None:
        return None
    level = level_share(verdict.batches) * study.experiment.level
    return predict_decision(verdict, level / max(study.verdict_count - decided, 1), decide.stages)


def explain_futility(verdict: Verdict, study: ResolvedExperiment, decided: int) -> str:
    """Return why more seeds would hardly decide a contrast, in a sentence; empty where they may.

    Args:
        decided: Number of the experiment's other verdicts that are decided.
    """
    decide = study.experiment.decide
    if decide is None or not decide.futility or verdict.stage is None:
        return ""
    if max(verdict.stage.analysed, default=decide.most) >= decide.most:
        return ""
    if verdict.untrained:
        return f"{describe_untrainable(verdict.untrained)}, so more seeds would hardly decide it."
    chances = predict_open(verdict, study, decided)
    if chances is None or chances[-1] >= decide.futility:
        return ""
    return (
        f"The chance that {decide.most} seeds decide it is about {100 * chances[-1]:.0f} %, by the effect and the "
        f"spread of the {verdict.n} pairs."
    )
