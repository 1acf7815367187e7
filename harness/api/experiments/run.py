"""Run an experiment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.settings import Settings
from harness.specs import ResolvedExperiment

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
        announce: Receives each plan before it is launched. An experiment with a search has several.

    Raises:
        HarnessError: Something prevents the run, or another process holds the experiment's lock.
        Interrupted: A signal ended the run. What was trained is in the record or in checkpoints.
    """
    from harness.experiments.driver import run_experiment
    from harness.experiments.preflight import preflight
    from harness.launchers.stop_request import StopRequest

    # The time limit includes the checks.
    stop = StopRequest(settings.time_limit)
    checked = preflight(study, settings, force, lambda text: console.print(text, soft_wrap=True))
    result = run_experiment(checked, settings, console, stop, force, announce)
    stop.raise_if_interrupted(describe_stop(result))
    return result


def describe_stop(result: RunResult) -> str:
    """Return what a signal left of a run: how many of its trials are finished, checkpointed and not started."""
    parts = [f"{result.trained} finished", result.describe_interrupted()]
    parts += [f"{len(result.failed)} failed"] if result.failed else []
    return (
        f"Stopped: of this run's trials {', '.join(filter(None, parts))}. Recorded results and checkpoints are kept; "
        "run the same command again to continue."
    )
