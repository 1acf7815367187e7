"""What a run prints before its first trial and after its last, and its exit code."""

import pytest

from harness.cli.views.run_view import RunView, print_sync
from harness.experiments.planning.plan import Plan
from harness.experiments.planning.planned_trial import PlannedTrial
from harness.experiments.run_result import RunResult
from harness.settings import RunOptions, Settings
from harness.specs.experiment.trial_status import TrialStatus


@pytest.fixture
def view(quick_study):
    """Return a function that makes the view of a run of the quick experiment."""
    study = quick_study()

    def make(settings=None, options=None):
        return RunView(study, settings or Settings(launcher="inline"), options or RunOptions())

    return make


def make_plan(study, status):
    return Plan(study, tuple(PlannedTrial(trial, status, 1.5) for trial in study.all_trials), 2)


@pytest.mark.parametrize(
    ("result", "time_limit", "code"),
    [
        (RunResult(trained=8), None, 0),
        (RunResult(failed={"a seed 1": "out of memory"}), None, 1),
        (RunResult(unpublished=["a seed 1"]), None, 1),
        (RunResult(store_error="the store does not answer"), None, 1),
        (RunResult(interrupted=["a seed 1"]), 60.0, 3),
        (RunResult(interrupted=["a seed 1"]), None, 1),
        (RunResult(failed={"a seed 1": "x"}, interrupted=["a seed 2"]), 60.0, 1),
    ],
)
def test_exit_code_follows_from_the_result(view, result, time_limit, code):
    assert view(Settings(time_limit=time_limit)).exit_code(result) == code


def test_plan_shows_trials_time_and_how_to_stop(view, capsys):
    run = view()
    run.print_plan(make_plan(run.resolved, TrialStatus.NEW))
    assert capsys.readouterr().out == (
        "quick: 8 of 8 trials to run on inline, 2 at a time, about 0:00:06. Ctrl-C stops the run; the same command "
        "resumes it.\n"
    )


@pytest.mark.parametrize(("status", "word"), [(TrialStatus.FINISHED, "recorded"), (TrialStatus.UNPUBLISHED, "trained")])
def test_plan_without_trials_to_run_says_so(view, capsys, status, word):
    run = view()
    run.print_plan(make_plan(run.resolved, status))
    assert capsys.readouterr().out == f"quick: nothing to train, all 8 trials are {word}.\n"


def test_forced_run_is_resumed_without_force(view, capsys):
    run = view(options=RunOptions(force=True))
    run.print_plan(make_plan(run.resolved, TrialStatus.NEW))
    assert "the same command without --force resumes it" in capsys.readouterr().out


def test_job_on_a_cluster_is_stopped_from_the_sender(view, capsys, monkeypatch):
    monkeypatch.setenv("DEPTHBENCH_SENT", "quick-1")
    run = view(Settings(address="auto"))
    run.print_plan(make_plan(run.resolved, TrialStatus.NEW))
    printed = capsys.readouterr().out
    assert "auto. `harness attach quick --stop` stops the run" in printed


def test_result_shows_failures_and_interrupted_trials(view, capsys):
    result = RunResult(
        2, {"a [bold] seed 1": "out of memory"}, ["b seed 1"], stop_reason="the time limit of 0:01:00", seconds=61.2
    )
    view().print_result(result)
    printed = capsys.readouterr()
    assert printed.out == "2 trials in 0:01:01.\n"
    assert "failed  a [bold] seed 1: out of memory\n" in printed.err
    assert "Stopped by the time limit of 0:01:00: 1 of 8 trials are not done." in printed.err


def test_sync_shows_what_was_done_with_each_trial(capsys):
    print_sync({"a": {"x seed 1": "published"}, "b": {}}, {"c": "another process holds its lock"})
    printed = capsys.readouterr()
    assert printed.out == "a: 1 trial updated\n  x seed 1: published\nb: nothing to do\n"
    assert printed.err == "not done  c: another process holds its lock\n"
