"""The stages of an adaptive experiment on a terminal, as JSON, and while trials run."""

import io
import json

import pytest
from rich.console import Console

from harness.api import load_resolved_experiment
from harness.cli.views.run_view import RunView
from harness.cli.views.stage_view import describe_stages, stages_as_json
from harness.errors import HarnessError
from harness.experiments.planning.plan import Plan
from harness.experiments.planning.planned_trial import PlannedTrial
from harness.experiments.planning.stage_trials import forecast_stages, restrict_plan
from harness.experiments.progress_display import ProgressDisplay
from harness.experiments.run_result import RunResult, StageEnd
from harness.settings import RunOptions, Settings
from harness.specs.adaptive.stage_decision import ContrastState, StageDecision
from harness.specs.experiment.trial_status import TrialStatus

DECIDED = ContrastState("First claim", "supported", 8)
OPEN = ContrastState("Second claim", "undecided", 8, "open: plain, depth 14 − depth 8")
CONTRASTS = [
    {"kind": "difference", "a": "cifar-resnet8-w2", "b": "cifar-plain8-w2"},
    {"kind": "difference", "a": "cifar-resnet14-w2", "b": "cifar-plain14-w2"},
]


@pytest.fixture
def staged(quick_study):
    """The plan of the second of three stages, for which one of two contrasts is open."""
    study = quick_study(decide={"first": 8, "step": 4, "most": 16}, contrasts=CONTRASTS)
    trials = tuple(
        PlannedTrial(trial, TrialStatus.NEW, 3.0)
        if trial.seed > 107
        else PlannedTrial(trial, TrialStatus.FINISHED, 0.0)
        for trial in study.all_trials
    )
    plan = Plan(study, trials, 2)
    stage = restrict_plan(plan, 12, {1}, StageDecision(8, (DECIDED, OPEN)))
    chances = {1: (0.0, 0.75, 1.0)}
    return Plan(**{**vars(stage), "forecast": forecast_stages(plan, stage, chances, "is planted")})


def test_plan_of_a_stage_shows_each_contrast_and_what_may_follow(staged):
    lines = describe_stages(staged)
    assert "  After 8 seeds: First claim: supported at n = 8" in lines
    assert "  After 8 seeds: Second claim: undecided at n = 8 (open: plain, depth 14 − depth 8)" in lines
    assert "  least    8 trials, about 0:00:12" in lines
    # With a chance of 1 in 4, the last stage adds 8 trials to the 8 of this one.
    assert "  expected 10 trials, about 0:00:15" in lines
    assert "  most     16 trials, about 0:00:24" in lines
    assert lines[-1] == "The expected number is planted. Half of all such experiments end by 12 seeds."


def test_plan_of_a_stage_as_json_has_amounts_and_states(staged):
    content = json.loads(json.dumps(stages_as_json(staged)))
    assert (content["declared"], content["next"], content["end"]) == ([8, 12, 16], 12, "")
    assert content["expected"] == {"trials": 10.0, "seconds": 15.0}
    assert [contrast["state"] for contrast in content["contrasts"]] == ["supported", "undecided"]


def test_display_shows_the_stage_and_each_contrast(staged, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = io.StringIO()
    console = Console(file=text, width=80, height=24, force_terminal=True, legacy_windows=False)
    with ProgressDisplay(staged, console) as display:
        display.live.refresh()
    assert "Stage 2 of 3 (12 of at most 16 seeds)" in text.getvalue()
    assert "  First claim: supported at n = 8" in text.getvalue()
    assert "  Second claim: undecided at n = 8" in text.getvalue()
    assert "0 of 8 trials of the stage done" in text.getvalue()


@pytest.mark.parametrize(
    ("reason", "code", "words"),
    [
        ("decided", 0, "Planted. 16 of at most 64 trials were needed."),
        ("budget", 3, "Planted. The same command continues."),
        ("failed", 1, "Planted. The same command trains the failed trials again."),
    ],
)
def test_end_of_a_run_says_why_no_stage_follows(staged, capsys, reason, code, words):
    unplanned = tuple(trial.label for trial in staged.study.all_trials[16:])
    result = RunResult(trained=16, unplanned=unplanned, stage_end=StageEnd(reason, "Planted."))
    view = RunView(staged.study, Settings(), RunOptions())
    view.print_result(result)
    captured = capsys.readouterr()
    assert words in captured.out + captured.err
    assert view.exit_code(result) == code


@pytest.mark.parametrize(
    ("decide", "seeds", "where", "words"),
    [
        ((7, 32, 4), None, "--decide 7:32:4", "first is 7, and 8 seeds are needed"),
        ((8, 32, 4), "12", "--seeds", "the contrasts decide how many seeds are trained, from 8 to 32"),
    ],
)
def test_option_that_does_not_fit_is_refused_by_its_name(experiment_file, decide, seeds, where, words):
    with pytest.raises(HarnessError, match=words) as refused:
        load_resolved_experiment(str(experiment_file()), seeds=seeds, decide=decide)
    assert refused.value.where == where


def test_option_makes_an_experiment_adaptive_and_a_list_gives_its_first_seeds(experiment_file):
    study = load_resolved_experiment(str(experiment_file()), seeds="5,9", decide=(8, 10, 2))
    assert study.experiment.decide.stages == (8, 10)
    assert study.experiment.seeds == (5, 9, *range(10, 18))
