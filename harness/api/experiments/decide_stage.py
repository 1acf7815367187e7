"""Analyse a stage of an adaptive experiment. Only this package knows both what trains and what analyses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.specs import ResolvedExperiment
from harness.specs.adaptive.stage_decision import AnalyseStage, ContrastState, StageDecision

if TYPE_CHECKING:
    from harness.reporting.verdicts.verdict import Verdict
    from harness.tracking.record import Record
    from harness.tracking.results_table import Results


def build_decide_stage(record: Record, writes: bool = True) -> AnalyseStage:
    """Return the function that analyses a stage from the record.

    Args:
        writes: Whether it writes the analysis to the record, as it must before a run shows the decision.
    """

    def decide_stage(study: ResolvedExperiment, stage: int) -> StageDecision:
        from harness.reporting.analyses.recording import build_log
        from harness.specs.declarations.analysis import current_time
        from harness.tracking.analyses.analysis_log import write_analyses

        results, verdicts = analyse_stage(study, record, stage)
        if writes:
            write_analyses(record, study, build_log(results, verdicts, current_time(), stage))
        return StageDecision(stage, describe_contrasts(study, verdicts))

    return decide_stage


def analyse_stage(study: ResolvedExperiment, record: Record, stage: int) -> tuple[Results, list[Verdict]]:
    """Return the results of the first so many seeds, and their verdicts.

    Raises:
        HarnessError: The record does not answer.
    """
    from harness.reporting.verdicts.decision import decide_contrasts
    from harness.tracking.analyses.analysis_log import add_other_analyses
    from harness.tracking.results_table import build_results_table

    seeds = set(study.experiment.seeds[:stage])
    histories = record.read_histories([trial.id for trial in study.trials if trial.seed in seeds])
    results = build_results_table(study, histories)
    results = replace(results, study=add_other_analyses(record, study))
    return results, decide_contrasts(results, stage)


def describe_contrasts(study: ResolvedExperiment, verdicts: Sequence[Verdict]) -> tuple[ContrastState, ...]:
    """Return the state of each contrast for the driver and the terminal."""
    from harness.reporting.stages.futility import explain_futility

    decided = sum(verdict.state != "undecided" for verdict in verdicts)
    return tuple(
        ContrastState(
            verdict.title,
            verdict.state,
            verdict.n,
            _describe_open(verdict),
            explain_futility(verdict, study, decided),
        )
        for verdict in verdicts
    )


def _describe_open(verdict: Verdict) -> str:
    """Return which components of a contrast are open, in a few words; empty for a decided contrast."""
    if verdict.state != "undecided":
        return ""
    names = [c.label for c in verdict.components if c.reached_outcome is None and not c.untrainable]
    if names or verdict.untrained:
        return f"open: {'; '.join(names)}" if names else ""
    return "open: the verdicts with and without failed trials differ"
