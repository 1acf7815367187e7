"""Plans as text and as JSON."""

import json

import pytest

from harness.cli.views.plan_view import plan_as_json, print_changes, print_plan
from harness.experiments.planning.device_budget import GpuHours
from harness.experiments.planning.plan import Plan
from harness.experiments.planning.planned_trial import PlannedTrial
from harness.specs.experiment.trial_status import TrialStatus


@pytest.fixture
def plan(quick_study):
    """Return a plan in which half of the trials are finished."""
    study = quick_study()
    planned = [
        PlannedTrial(trial, TrialStatus.FINISHED if number % 2 else TrialStatus.NEW, 0.0 if number % 2 else 3.0)
        for number, trial in enumerate(study.all_trials)
    ]
    return Plan(study, tuple(planned), 2, changes=("recipe.lr: 0.1 -> 0.05",))


def test_plan_counts_trials_by_state(plan, capsys):
    print_plan(plan, None, "this machine")
    printed = capsys.readouterr().out
    assert "8 trials, 4 to run: 4 new, 4 finished." in printed
    assert "About 0:00:06 with 2 at a time on this machine" in printed
    assert "2 seeds give no verdict" in printed


def test_one_trial_of_one_epoch_is_counted_in_the_singular(quick_study, capsys):
    study = quick_study(
        seeds=[0], variants=["cifar-plain8"], contrasts=[], recipe={"epochs": 1, "batch": 128, "lr": 0.05}
    )
    [trial] = study.all_trials
    print_plan(Plan(study, (PlannedTrial(trial, TrialStatus.NEW, 3.0),), 2), None, "this machine")
    printed = capsys.readouterr().out
    assert "1 trial, 1 to run: 1 new." in printed and "1 epoch of batch" in printed


def test_plan_shows_the_price(plan, capsys):
    print_plan(plan, GpuHours(12.0, 2.5), "cluster.yaml")
    assert "About 12 GPU-hours, 30.00 at 2.5 each." in capsys.readouterr().out


def test_plan_as_json_has_every_trial_with_its_group(plan):
    content = json.loads(json.dumps(plan_as_json(plan, None)))
    assert content["experiment"] == "quick" and content["seconds"] == 6.0 and content["gpu_hours"] is None
    assert sorted(row["job"] for row in content["trials"] if row["state"] == "new") == [0, 1, 2, 3]
    assert {row["job"] for row in content["trials"] if row["state"] == "finished"} == {None}


def test_changed_settings_are_shown_with_what_is_kept(plan, capsys):
    print_changes(plan)
    printed = capsys.readouterr().out
    assert printed.startswith("Since the last run of quick, these settings changed:\n  recipe.lr: 0.1 -> 0.05\n")
    assert "4 of 8 trials are recorded with the new settings" in printed
    assert "Use --set name=... to keep both" in printed
