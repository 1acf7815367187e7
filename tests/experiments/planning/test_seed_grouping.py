"""Which seeds of a variant are trained together."""

import pytest

from harness.api import load_resolved_experiment
from harness.errors import HarnessError
from harness.experiments.planning.planned_trial import PlannedTrial
from harness.experiments.planning.seed_grouping import (
    AUTO_SEEDS,
    group_seeds,
    grouping_obstacle,
    grouping_obstacles,
    seeds_per_group,
)
from harness.specs.experiment.trial_status import TrialStatus

ONE_VARIANT = {"variants": ["cifar-resnet20"], "contrasts": None}
AUTO = {"seeds": list(range(8)), "contrasts": None, "execution": {"seeds_together": "auto"}}


def plan_all(study, status=TrialStatus.NEW):
    return [PlannedTrial(trial, status, 1.0) for trial in study.trials]


def ensembles_by_seeds(trials, study):
    """Return the ensemble of each group by the seeds of its trials."""
    groups = group_seeds(trials, study, 1)
    return {tuple(planned.trial.seed for planned in group.trials): group.ensemble_seeds for group in groups}


def test_new_seeds_are_grouped_in_their_order(quick_study):
    study = quick_study(seeds=list(range(7)), execution={"seeds_together": 3})
    groups = group_seeds(plan_all(study), study, 1)
    assert [group.ensemble_seeds for group in groups[:8]] == [(0, 1, 2), (3, 4, 5)] * 4
    assert [(group.ensemble_seeds, group.trials[0].trial.seed) for group in groups[8:]] == [((), 6)] * 4
    assert all(len({planned.trial.variant for planned in group.trials}) == 1 for group in groups)
    grouped = [planned.trial.id for group in groups for planned in group.trials]
    assert sorted(grouped) == sorted(trial.id for trial in study.trials)


@pytest.mark.parametrize(
    "changes",
    [
        {"replicate": ["order", "split"], "seeds": list(range(9))},
        {"variance": {"sources": ["order", "split"], "levels": 3}, "seeds": None},
    ],
)
def test_seeds_with_their_own_splits_are_grouped_like_others(quick_study, changes):
    study = quick_study(contrasts=None, execution={"seeds_together": 3}, **changes)
    groups = group_seeds(plan_all(study), study, 1)
    assert [group.ensemble_seeds for group in groups] == [(0, 1, 2), (3, 4, 5), (6, 7, 8)] * 4
    assert not grouping_obstacles(plan_all(study), study)


def test_recorded_seeds_are_in_no_new_ensemble(quick_study):
    study = quick_study(seeds=list(range(7)), execution={"seeds_together": 3})
    unrecorded = [planned for planned in plan_all(study) if planned.trial.seed in (1, 2, 5)]
    assert {group.ensemble_seeds for group in group_seeds(unrecorded, study, 1)} == {(1, 2), ()}


@pytest.mark.parametrize(
    ("second", "together", "expected"),
    [
        (TrialStatus.INTERRUPTED, 2, {(0, 2): (0, 1, 2), (1,): (), (3,): ()}),
        # A trial that was interrupted before its first checkpoint is new, and belongs to the ensemble all the same.
        (TrialStatus.NEW, 2, {(0, 1, 2): (0, 1, 2), (3,): ()}),
        (TrialStatus.NEW, "auto", {(0, 1, 2): (0, 1, 2), (3,): ()}),
        (TrialStatus.NEW, "off", {(0,): (), (1,): (), (2,): (), (3,): ()}),
    ],
)
def test_interrupted_seeds_stay_in_their_ensemble_or_alone(quick_study, second, together, expected):
    study = quick_study(seeds=[0, 1, 2, 3], **ONE_VARIANT, execution={"seeds_together": together})
    trials = study.trials
    planned = [
        PlannedTrial(trials[0], TrialStatus.INTERRUPTED, 1.0, ensemble_seeds=(0, 1, 2)),
        PlannedTrial(trials[1], second, 1.0),
        PlannedTrial(trials[2], TrialStatus.INTERRUPTED, 1.0, ensemble_seeds=(0, 1, 2)),
        PlannedTrial(trials[3], TrialStatus.NEW, 1.0),
    ]
    assert ensembles_by_seeds(planned, study) == expected


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"variants": {"name": "cifar-resnet20", "set": {"stochastic_depth": 0.2}}}, "draws random numbers"),
        ({"recipe": {"epochs": 2, "batch": 64, "lr": 0.1, "precision": "bf16"}}, "fp32 on CPUs only"),
        ({"resources": {"gpus": 1}}, "fp32 on CPUs only"),
        ({"execution": {"seeds_together": 2, "compile": True}}, "compiled"),
    ],
)
def test_trials_that_an_ensemble_would_change_train_alone(quick_study, changes, reason):
    study = quick_study(**{"execution": {"seeds_together": 2}, **ONE_VARIANT, **changes})
    planned = plan_all(study)
    assert {group.ensemble_seeds for group in group_seeds(planned, study, 1)} == {()}
    assert reason in grouping_obstacle(study.trials[0], study)
    assert list(grouping_obstacles(planned, study)) == [study.variants[0].name]


@pytest.mark.parametrize(
    ("changes", "concurrency", "trials", "seeds"),
    [
        ({}, 2, 32, AUTO_SEEDS),
        ({}, 5, 32, 1),
        ({}, 2, AUTO_SEEDS, 1),
        ({"resources": {"cpus": 2}}, 1, 32, 1),
        ({"variants": [{"name": "cifar-resnet20", "set": {"widths": [32, 64, 128]}}]}, 1, 32, 1),
    ],
    ids=["small networks", "idle cores", "last trials", "two threads", "large network"],
)
def test_auto_groups_small_networks_on_one_thread_unless_cores_idle(quick_study, changes, concurrency, trials, seeds):
    assert seeds_per_group(quick_study(**AUTO, **changes), concurrency, trials) == seeds


@pytest.mark.parametrize(
    ("overrides", "value"),
    [
        ([], "off"),
        (["execution.seeds_together=off"], "off"),
        (["execution.seeds_together=4"], 4),
        (["execution.seeds_together=auto"], "auto"),
    ],
)
def test_seeds_together_on_the_command_line(experiment_file, overrides, value):
    study = load_resolved_experiment(str(experiment_file()), overrides)
    assert study.experiment.execution.seeds_together == value


def test_seeds_together_off_is_a_word_in_yaml(experiment_file):
    file = experiment_file()
    file.write_text(file.read_text() + "execution: {seeds_together: off}\n")
    assert load_resolved_experiment(str(file)).experiment.execution.seeds_together == "off"


def test_seeds_together_of_one_is_refused(experiment_file):
    with pytest.raises(HarnessError, match="seeds_together"):
        load_resolved_experiment(str(experiment_file()), ["execution.seeds_together=1"])
