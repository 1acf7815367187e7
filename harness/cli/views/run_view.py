"""The output of `harness run` and `harness sync`: the plan before the first trial, and the result after the last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from harness.cli.console import err, out, print_failure, print_note, print_text
from harness.cli.views.plan_view import describe_search, print_changes
from harness.errors import EXIT_FAILED, EXIT_LIMIT
from harness.settings import RunOptions, Settings
from harness.text import escape_rich

if TYPE_CHECKING:
    from harness.experiments.planning.plan import Plan
    from harness.experiments.run_result import RunResult, StageEnd
    from harness.specs import ResolvedExperiment


class RunView:
    """Prints the plan and the result of one run.

    Attributes:
        is_job: Whether this run is a job on a cluster, so that a user follows it from another machine.
    """

    def __init__(self, resolved: ResolvedExperiment, settings: Settings, options: RunOptions) -> None:
        from harness.experiments.cluster_job import is_cluster_job

        self.resolved, self.settings, self.options = resolved, settings, options
        self.name = resolved.experiment.name
        self.is_job = is_cluster_job()

    def print_plan(self, plan: Plan) -> None:
        """Print what is about to run, about how long it takes, and how to stop it."""
        print_changes(plan)
        if plan.warning:
            print_note(plan.warning)
        for line in describe_search(plan):
            print_text(line)
        total, to_run = len(plan.trials), len(plan.to_run)
        if not to_run:
            state = "recorded" if plan.recorded == total else "trained"
            trials = "its trial is" if total == 1 else f"all {total} trials are"
            out.print(f"{self.name}: nothing to train, {trials} {state}.")
            return
        name = self.name if plan.stage is None else f"{self.name}, {plan.stage}"
        groups = f" in {len(plan.groups)} trial groups" if len(plan.groups) < to_run else ""
        out.print_lines(
            f"{name}: {to_run} of {total} trials to run on {self.settings.launcher}{groups}, "
            f"{self._describe_capacity(plan)}. {self._describe_stop()}"
        )
        self._print_gpu_hours(plan)

    def _describe_capacity(self, plan: Plan) -> str:
        if self.settings.address is not None and not self.settings.at_once:
            return escape_rich(self.settings.address)
        return f"{plan.concurrency} at a time, about {timedelta(seconds=round(plan.seconds))}"

    def _describe_stop(self) -> str:
        command = f"`harness attach {self.name} --stop`" if self.is_job else "Ctrl-C"
        without = " without --force" if self.options.force else ""
        return f"{command} stops the run; the same command{without} resumes it."

    def _print_gpu_hours(self, plan: Plan) -> None:
        from harness.experiments.planning.device_budget import count_gpu_hours

        gpu_hours = count_gpu_hours(plan.trial_seconds, self.resolved.experiment.resources, self.options.price)
        if gpu_hours is not None:
            out.print(f"About {gpu_hours}.")

    def print_result(self, result: RunResult) -> None:
        """Print how many trials were trained, and what failed, was stopped or is not in the store yet."""
        if result.trained:
            plural = "s" if result.trained != 1 else ""
            out.print(f"{result.trained} trial{plural} in {timedelta(seconds=round(result.seconds))}.")
        for label, message in result.failed.items():
            print_failure(label, message)
        if result.unpublished:
            print_text(
                f"{len(result.unpublished)} trials are trained but not in the store yet. Run the same command again "
                "once the store answers, or `harness sync`. No trial is trained twice.",
                err,
            )
        if result.interrupted:
            print_text(
                f"Stopped by {result.stop_reason}: {len(result.interrupted)} of {self._count_planned(result)} trials "
                f"are not done. {result.describe_interrupted()}; the same command resumes them.",
                err,
            )
        if result.store_error:
            print_text(result.store_error, err)
        if result.stage_end is not None:
            self._print_stage_end(result, result.stage_end)

    def _count_planned(self, result: RunResult) -> int:
        return len(self.resolved.all_trials) - len(result.unplanned)

    def _print_stage_end(self, result: RunResult, end: StageEnd) -> None:
        """Print why an adaptive experiment starts no further stage, and how many trials it needed."""
        total = len(self.resolved.all_trials)
        trials = f"{self._count_planned(result)} of at most {total} trials were needed"
        if end.reason == "budget":
            print_text(f"{end.text} The same command continues.", err)
        elif end.reason == "failed":
            print_text(f"{end.text} The same command trains the failed trials again.", err)
        else:
            print_text(f"{end.text} {trials[0].upper()}{trials[1:]}.")

    def print_why_no_report(self, result: RunResult) -> None:
        """Print why the run ends without a report, unless the result said so already."""
        if not result.store_error and result.has_results(self.resolved):
            print_text(
                "No report yet: a verdict on part of the seeds would be an interim look. "
                f"`harness report {self.name}` writes it all the same.",
                err,
            )

    def exit_code(self, result: RunResult) -> int:
        """Return the exit code of the command."""
        if result.failed or result.unpublished or result.store_error:
            return EXIT_FAILED
        if result.interrupted:
            return EXIT_LIMIT if self.settings.time_limit is not None else EXIT_FAILED
        if result.stage_end is not None and result.stage_end.reason in ("budget", "failed"):
            return EXIT_LIMIT if result.stage_end.reason == "budget" else EXIT_FAILED
        return 0


def print_sync(done: Mapping[str, Mapping[str, str]], refused: Mapping[str, str]) -> None:
    """Print what `harness sync` did.

    Args:
        done: What was done with each trial, by experiment and by trial.
        refused: Why an experiment could not be synchronised, by experiment.
    """
    for name, trials in done.items():
        count = f"{len(trials)} trial{'s' if len(trials) > 1 else ''} updated" if trials else "nothing to do"
        print_text(f"{name}: {count}")
        for label, text in trials.items():
            print_text(f"  {label}: {text}")
    for name, reason in refused.items():
        print_failure(name, reason, "not done")
