"""Plans as text and as JSON."""

import json

import pytest

from harness.cli.views.declared_view import declared_as_json, describe_declared
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


def declared_lines(study):
    return describe_declared(study), declared_as_json(study)


def test_plan_shows_what_seeds_vary_and_the_targets(quick_study):
    twins = {"kind": "time_to_target", "a": "cifar-resnet8-w2", "b": "cifar-plain8-w2"}
    targets = [{"metric": "test/error", "value": 8.0}, {"metric": "train/error", "value": 2.5}]
    contrasts = [{**twins, "target": targets[0]}, {**twins, "target": targets[0], "unit": "seconds"}]
    lines, content = declared_lines(
        quick_study(replicate={"vary": ["initialisation", "split"], "hold_at": 7}, targets=targets, contrasts=contrasts)
    )
    assert lines == [
        "The seeds vary initialisation and split; order and augmentation have seed 7 in all trials.",
        "Reports show the time to test/error of 8 % or less (2 contrasts, in epochs and seconds) and train/error of "
        "2.5 % or less.",
    ]
    assert content == {
        "matches": [],
        "vary": ("initialisation", "split"),
        "variance": None,
        "targets": targets,
    }


def test_plan_shows_the_size_of_a_crossed_design(quick_study):
    design = {"sources": ["initialisation", "order", "split"], "levels": 4, "repeats": 2}
    lines, content = declared_lines(quick_study(variance=design, seeds=None, contrasts=[]))
    assert lines == [
        "The crossed design varies initialisation, order and split; augmentation has seed 0 in all trials. It has 4 "
        "levels of each source: 4² x 2 blocks = 32 trials of each variant, 128 in all; 6 degrees of freedom for each "
        "source, 12 for the residual."
    ]
    assert content["variance"]["trials_per_variant"] == 32


def test_plan_shows_the_cost_that_a_match_has_reached(quick_study):
    match = {"by": "macs", "to": "cifar-resnet14"}
    variants = ["cifar-resnet14", {"name": "cifar-plain8", "match": match}]
    lines, content = declared_lines(quick_study(variants=variants, contrasts=[]))
    found = content["matches"][0]
    assert lines[0].startswith("cifar-plain8-macs-of-cifar-resnet14 is cifar-plain8 with widths ")
    assert f"it has {found['ratio']:.4f} times the MACs of cifar-resnet14" in lines[0]


def test_plan_of_an_experiment_that_declares_none_of_these_has_no_further_lines(quick_study):
    assert describe_declared(quick_study()) == []


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
