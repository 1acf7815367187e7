"""Adaptive experiments through the real driver and record; the launcher writes trials with planted errors."""

import time

import numpy as np
import pytest
from trial_helpers import SILENT_CONSOLE

from harness.api import collect, load_resolved_experiment, plan, run, sync
from harness.api.results.report import record_analyses
from harness.cli.views.run_view import RunView
from harness.errors import EXIT_FAILED, EXIT_LIMIT
from harness.execution.progress import Progress
from harness.io.archives import pack_archive
from harness.io.checkpoint_names import Checkpoint
from harness.reporting.verdicts.decision import decide_contrasts
from harness.settings import RunOptions
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import Epoch, History
from harness.tracking.record import open_record

EASY = {"kind": "difference", "a": "cifar-resnet8-w2", "b": "cifar-plain8-w2", "metric": "train/error"}
HARD = {"kind": "difference", "a": "cifar-resnet14-w2", "b": "cifar-plain14-w2", "metric": "train/error"}
STAGED = {
    "variants": {
        "family": "cifar-resnet",
        "depth": [8, 14, 20],
        "shortcut": ["none", "identity"],
        "set": {"widths": [2, 4, 8]},
    },
    "seeds": [100],
    "decide": {"first": 8, "step": 4, "most": 16, "futility": 0},
    "contrasts": [EASY, HARD],
}
MEANS = {"cifar-resnet8-w2": 5.0, "cifar-plain8-w2": 20.0, "cifar-resnet14-w2": 10.0, "cifar-plain14-w2": 12.2}


class Killed(BaseException):
    """Ends a run without any cleanup."""


class PlantedLauncher:
    """Writes a complete checkpoint for each trial in place of training it.

    Attributes:
        trained: Labels of the trials, in their order.
        failing: Labels of trials that fail.
        kill_after: Number of trials after which the process dies.
    """

    def __init__(self):
        self.trained, self.failing, self.kill_after, self.means = [], set(), None, dict(MEANS)

    def __call__(self, groups, concurrency, report, stop):
        for task in (task for group in groups for task in group.tasks):
            trial = task.trial
            if trial.label in self.failing:
                report(Progress(trial.id, TrialStatus.FAILED, message="planted"))
                continue
            if self.kill_after is not None and len(self.trained) == self.kill_after:
                raise Killed
            self.trained.append(trial.label)
            history = self.make_history(trial).model_dump_json().encode()
            task.folder.write(Checkpoint(1, 2).name, pack_archive({"history.json": history, "state.pt": b""}))
            report(Progress(trial.id, TrialStatus.FINISHED, epoch=2, seconds=1.0))

    def make_history(self, trial):
        noise = np.random.default_rng([trial.seed, len(trial.variant.name), trial.variant.depth]).normal(0, 2.0)
        error = round(self.means.get(trial.variant.name, 15.0) + noise, 3)
        metrics = {"train/loss": 0.3, "train/error": error, "train/error_clean": error, "test/error": error}
        metrics |= {"time/train_s": 1.0, "time/epoch_s": 1.0}
        costs = {"cost/params": 9, "cost/macs": 9, "cost/flops": 18, "cost/activations": 9, "counter": "fvcore"}
        provenance = {"device": "planted", "precision": "fp32", "threads": 1, "shared": False, "software": "planted"}
        epochs = tuple(Epoch(epoch=n, at=1_763_700_000_000 + n, metrics=metrics) for n in (1, 2))
        return History(
            id=trial.id, trial=trial, outcome=TrialStatus.FINISHED, costs=costs, provenance=provenance, epochs=epochs
        )


@pytest.fixture
def planted(monkeypatch):
    """A planted launcher, which the driver uses as the inline one."""
    launcher = PlantedLauncher()
    monkeypatch.setattr("harness.launchers.inline.launch", launcher)
    return launcher


@pytest.fixture
def staged_study(experiment_file):
    """Return a function that resolves the staged experiment; keyword arguments replace its fields."""
    return lambda **changes: load_resolved_experiment(str(experiment_file(**{**STAGED, **changes})))


def count_by_variant(labels):
    names = [label.partition(" seed ")[0] for label in labels]
    return {name: names.count(name) for name in names}


def read_analyses(settings):
    """Return (contrast, stage, seeds, state) of each recorded analysis."""
    analyses = open_record(settings, "quick").read_experiment().analyses
    return sorted((a.contrast, a.stage or 0, a.seeds, a.state) for a in analyses)


def states(result):
    return [(contrast.state, contrast.n) for contrast in result.decision.contrasts]


def test_variant_is_dropped_once_its_contrasts_are_decided(staged_study, make_settings, planted):
    study, settings = staged_study(), make_settings()
    result = run(study, settings, SILENT_CONSOLE)
    counts = count_by_variant(planted.trained)
    assert counts == {
        "cifar-resnet8-w2": 8,
        "cifar-plain8-w2": 8,
        "cifar-resnet14-w2": 12,
        "cifar-plain14-w2": 12,
        # They have no contrast, so the first stage is all they get.
        "cifar-resnet20-w2": 8,
        "cifar-plain20-w2": 8,
    }
    assert states(result) == [("supported", 8), ("supported", 12)]
    assert result.stage_end.reason == "decided"
    assert len(result.unplanned) == 6 * 16 - sum(counts.values())
    again = run(study, settings, SILENT_CONSOLE)
    assert (again.trained, again.stage_end, states(again)) == (0, result.stage_end, states(result))
    assert len(planted.trained) == result.trained


@pytest.mark.parametrize("killed_after", [5, 48, 51])
def test_run_that_is_killed_ends_as_one_that_was_not(staged_study, make_settings, planted, monkeypatch, killed_after):
    """Killed inside the first stage, after its last trial and before its analysis, and inside the second one."""
    study, settings, whole = staged_study(), make_settings(), make_settings(home="whole")
    planted.kill_after = killed_after
    with pytest.raises(Killed):
        run(study, settings, SILENT_CONSOLE)
    planted.kill_after = None
    resumed = run(study, settings, SILENT_CONSOLE)
    trained = list(planted.trained)
    uninterrupted = run(study, whole, SILENT_CONSOLE)
    assert sorted(trained) == sorted(planted.trained[len(trained) :])
    assert states(resumed) == states(uninterrupted)
    assert read_analyses(settings) == read_analyses(whole) != []


def test_failed_trial_loses_its_pair_and_blocks_no_stage(staged_study, make_settings, planted):
    study, settings = staged_study(), make_settings()
    planted.failing = {"cifar-resnet14-w2 seed 110"}
    result = run(study, settings, SILENT_CONSOLE)
    assert list(result.failed) == ["cifar-resnet14-w2 seed 110"]
    assert states(result)[1][1] == 11
    assert RunView(study, settings, RunOptions()).exit_code(result) == EXIT_FAILED
    analyses = read_analyses(settings)
    planted.failing = set()
    again = run(study, settings, SILENT_CONSOLE)
    # The stage was analysed without the pair, so the pair stays lost, and the decision stays the same.
    assert (again.trained, states(again)) == (0, states(result))
    assert read_analyses(settings) == analyses


def test_contrast_that_gains_no_pair_ends_the_run_and_is_tried_again(staged_study, make_settings, planted):
    study, settings = staged_study(contrasts=[HARD]), make_settings()
    planted.failing = {f"cifar-resnet14-w2 seed {seed}" for seed in range(100, 108)}
    result = run(study, settings, SILENT_CONSOLE)
    assert (result.decision, result.stage_end.reason) == (None, "failed")
    assert count_by_variant(planted.trained)["cifar-plain14-w2"] == 8
    assert RunView(study, settings, RunOptions()).exit_code(result) == EXIT_FAILED
    planted.failing = set()
    assert states(run(study, settings, SILENT_CONSOLE)) == [("supported", 12)]


def test_budget_starts_no_stage_that_would_end_too_late(staged_study, make_settings, planted):
    study, settings = staged_study(), make_settings()
    object.__setattr__(settings, "budget", 5.0)
    result = run(study, settings, SILENT_CONSOLE)
    # By the recorded times, the eight trials of the second stage take eight seconds.
    assert (result.stage_end.reason, result.decision.stage) == ("budget", 8)
    assert "stage 2 of 3 (12 of at most 16 seeds) needs 8 more trials, about 0:00:0" in result.stage_end.text
    assert RunView(study, settings, RunOptions()).exit_code(result) == EXIT_LIMIT
    object.__setattr__(settings, "budget", None)
    assert states(run(study, settings, SILENT_CONSOLE)) == [("supported", 8), ("supported", 12)]


def test_time_limit_holds_in_later_stages_too(staged_study, make_settings, planted, monkeypatch):
    study, settings = staged_study(), make_settings()
    object.__setattr__(settings, "time_limit", 60.0)
    launched = []

    def wait_in_second_stage(groups, concurrency, report, stop):
        launched.append(len(groups))
        if len(launched) == 1:
            planted(groups, concurrency, report, stop)
            stop._deadline = time.monotonic() + 0.1
        else:
            assert stop._event.wait(30)

    monkeypatch.setattr("harness.launchers.inline.launch", wait_in_second_stage)
    result = run(study, settings, SILENT_CONSOLE)
    assert launched == [48, 8]
    assert result.stop_reason == "the time limit of 0:01:00"
    assert len(result.interrupted) == 8


def test_contrast_that_would_hardly_be_decided_ends_the_run(staged_study, make_settings, planted):
    planted.means |= {"cifar-resnet14-w2": 12.0, "cifar-plain14-w2": 12.0}
    settings = make_settings()
    decide = {"first": 8, "step": 4, "most": 12}
    result = run(staged_study(decide=decide | {"futility": 0.5}), settings, SILENT_CONSOLE)
    assert (result.stage_end.reason, states(result)) == ("futile", [("supported", 8), ("undecided", 8)])
    assert "The chance that 12 seeds decide it is about" in result.decision.contrasts[1].futile
    # Futility binds nobody: without the rule the experiment goes on to its most seeds, as declared.
    result = run(staged_study(decide=decide | {"futility": 0}), settings, SILENT_CONSOLE)
    assert (result.stage_end.reason, states(result)[1]) == ("most", ("undecided", 12))
    assert [verdict.exploratory for verdict in decide_contrasts(analyse(settings))] == ["", ""]


def test_plan_forecasts_the_least_the_expected_and_the_most(staged_study, make_settings, planted):
    study, settings = staged_study(), make_settings()
    before = plan(study, settings)
    assert (len(before.trials), len(before.to_run)) == (48, 48)
    assert (before.forecast.least.trials, before.forecast.most.trials) == (48, 4 * 16 + 2 * 8)
    assert 48 < before.forecast.expected.trials < 80
    object.__setattr__(settings, "budget", 1.0)
    run(study, settings, SILENT_CONSOLE)
    after = plan(study, settings)
    assert {planned.trial.variant.name for planned in after.to_run} == {"cifar-resnet14-w2", "cifar-plain14-w2"}
    assert (after.forecast.least.trials, after.forecast.most.trials) == (8, 16)
    assert 8 <= after.forecast.expected.trials < 16
    assert [contrast.state for contrast in after.forecast.decision.contrasts] == ["supported", "undecided"]
    assert "follows from the effects and the spread of the first 8 seeds" in after.forecast.assumption
    object.__setattr__(settings, "budget", None)
    run(study, settings, SILENT_CONSOLE)
    ended = plan(study, settings)
    assert (ended.to_run, ended.forecast.most.trials) == ([], 0)
    assert ended.forecast.end == "Every contrast is decided with 12 seeds."


def test_report_inside_a_stage_rests_on_the_stages_before_it(staged_study, make_settings, planted):
    study, settings = staged_study(), make_settings()
    # Nothing is tested before the first stage is complete in all variants of the contrast.
    run_until(study, settings, planted, 20)
    results = analyse(settings)
    assert [verdict.p for verdict in decide_contrasts(results)] == [None, None]
    assert len(results.missing) == 28
    assert read_analyses(settings) == []
    run_until(study, settings, planted, 52)
    verdicts = decide_contrasts(analyse(settings))
    assert [(verdict.state, verdict.n) for verdict in verdicts] == [("supported", 8), ("undecided", 8)]


def run_until(study, settings, planted, trials):
    """Continue a run until so many trials are trained, kill it, and publish them."""
    planted.kill_after = trials
    with pytest.raises(Killed):
        run(study, settings, SILENT_CONSOLE)
    sync([], settings)


def analyse(settings):
    """Return the results as a report shows them, with its analysis in the record."""
    return record_analyses(*collect("quick", settings))
