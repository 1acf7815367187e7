"""Run an experiment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.api.experiments.decide_stage import build_decide_stage
from harness.errors import HarnessError
from harness.settings import Settings
from harness.specs import ResolvedExperiment
from harness.specs.adaptive.stage_decision import StageDecision
from harness.text import escape_rich

if TYPE_CHECKING:
    from rich.console import Console

    from harness.experiments.planning.plan import Plan
    from harness.experiments.run_result import RunResult


def run(
    study: ResolvedExperiment,
    settings: Settings,
    console: Console,
    force: bool = False,
    announce: Callable[[Plan], None] = lambda plan: None,
) -> RunResult:
    """Bring every trial of an experiment into the record: check first, then plan, launch and settle.

    Args:
        console: Shows progress and messages.
        force: Whether to train recorded trials again; their earlier runs are archived.
        announce: Receives each plan before it is launched. An experiment with a search has several, and so has an
            adaptive one.

    Raises:
        HarnessError: Something prevents the run, or another process holds the experiment's lock.
        Interrupted: A signal ended the run. What was trained is in the record or in checkpoints.
    """
    from harness.experiments.driver import run_experiment
    from harness.experiments.preflight import preflight
    from harness.experiments.stages import StageRun
    from harness.launchers.stop_request import StopRequest

    # The time limit and the budget include the checks.
    stop, started = StopRequest(settings.time_limit), time.monotonic()
    if settings.budget is not None and study.experiment.decide is None:
        raise HarnessError(
            "a budget ends an adaptive experiment between its stages, and this experiment has no stages",
            where="--budget",
            remedy="Use --time-limit, or add --decide 8:32:4.",
        )
    checked = preflight(study, settings, force, lambda text: console.print(text, soft_wrap=True))
    stages = None
    if study.experiment.decide is not None:
        stages = StageRun(
            build_decide_stage(checked.record),
            None if settings.budget is None else started + settings.budget,
            lambda decision: print_decision(decision, console),
            None if force else checked.record.read_superseded_trials(),
        )
    result = run_experiment(checked, settings, console, stop, force, announce, stages)
    stop.raise_if_interrupted(describe_stop(result))
    return result


def print_decision(decision: StageDecision, console: Console) -> None:
    """Print what a stage decided."""
    for contrast in decision.contrasts:
        console.print(escape_rich(f"After {decision.stage} seeds: {contrast}"), soft_wrap=not console.is_terminal)


def describe_stop(result: RunResult) -> str:
    """Return what a signal left of a run: how many of its trials are finished, checkpointed and not started."""
    parts = [f"{result.trained} finished", result.describe_interrupted()]
    parts += [f"{len(result.failed)} failed"] if result.failed else []
    return (
        f"Stopped: of this run's trials {', '.join(filter(None, parts))}. Recorded results and checkpoints are kept; "
        "run the same command again to continue."
    )
