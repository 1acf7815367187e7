"""Runs of whole experiments with real trials and a real store: what is trained, recorded, resumed and archived."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from trial_helpers import SILENT_CONSOLE, results_without_times, trial_statuses

from harness.api import collect, plan, run
from harness.execution.attempts import read_attempts
from harness.execution.progress import Progress
from harness.experiments.record_sync import archive_trials
from harness.io.checkpoint_names import list_checkpoints
from harness.launchers.inline import launch
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import read_newest_history
from harness.tracking.record import open_checkpoint_folder, open_record
from harness.training.checkpoint_file import KEPT_CHECKPOINTS
from harness.training.trainer import Trainer

SEEDS = [100, 101, 102]
ENSEMBLES = {"seeds_together": 3, "checkpoint_seconds": 0}


def test_run_records_every_trial_once(quick_study, settings):
    study = quick_study()
    result = run(study, settings, SILENT_CONSOLE)
    assert (result.trained, result.failed, result.unpublished) == (8, {}, [])
    results, _ = collect("quick", settings)
    assert results.missing == []
    assert set(results.epochs["epoch"]) == {0, 1, 2}
    assert set(results.epochs["counter"]) == {"fvcore"}
    assert run(study, settings, SILENT_CONSOLE).trained == 0
    assert collect("quick", settings)[0].epochs.equals(results.epochs)


def test_run_on_ray_gives_bit_for_bit_what_inline_gives(quick_study, make_settings):
    """Ray reuses its workers, inline has one process; the execution settings are equal."""
    study = quick_study()
    on_ray, inline = make_settings("ray", None, "ray"), make_settings(home="inline")
    run(study, on_ray, SILENT_CONSOLE)
    run(study, inline, SILENT_CONSOLE)
    assert results_without_times(on_ray).equals(results_without_times(inline))


def test_run_with_added_seeds_trains_only_these(quick_study, make_settings):
    settings = make_settings()
    run(quick_study(), settings, SILENT_CONSOLE)
    study = quick_study(seeds=SEEDS)
    assert [planned.trial.seed for planned in plan(study, settings).to_run] == [102] * 4
    assert run(study, settings, SILENT_CONSOLE).trained == 4


def test_experiments_share_a_trial_whose_checkpoint_is_there(quick_study, make_settings):
    settings = make_settings(uri=None)
    run(quick_study(), settings, SILENT_CONSOLE)
    other = quick_study(name="other", question="Another?")
    assert {(p.status, p.in_other_experiment) for p in plan(other, settings).trials} == {
        (TrialStatus.UNPUBLISHED, False)
    }
    assert run(other, settings, SILENT_CONSOLE).trained == 0
    assert collect("quick", settings)[0].epochs.equals(collect("other", settings)[0].epochs)


def test_experiments_share_a_trial_that_only_the_store_holds(quick_study, make_settings, tmp_path):
    settings = make_settings(uri=None)
    run(quick_study(), settings, SILENT_CONSOLE)
    (settings.home / "trials").rename(tmp_path / "away")
    other = quick_study(name="other")
    assert {(p.status, p.in_other_experiment) for p in plan(other, settings).trials} == {
        (TrialStatus.UNPUBLISHED, True)
    }
    assert run(other, settings, SILENT_CONSOLE).trained == 0
    assert collect("other", settings)[0].missing == []


def test_run_with_force_trains_again_and_deletes_nothing(quick_study, make_settings):
    settings, study = make_settings(uri=None), quick_study(seeds=[100])
    run(study, settings, SILENT_CONSOLE)
    assert run(study, settings, SILENT_CONSOLE, force=True).trained == 4
    superseded = open_record(settings, "quick").read_superseded_trials()
    assert {trial: len(runs) for trial, runs in superseded.items()} == {trial.id: 1 for trial in study.trials}
    assert len(list((settings.home / "trials").glob("*.superseded-1"))) == 4


def test_archived_trials_do_not_come_back_from_another_experiment(quick_study, make_settings):
    settings, study = make_settings(uri=None), quick_study(seeds=[100])
    run(study, settings, SILENT_CONSOLE)
    run(quick_study(seeds=[100], name="other"), settings, SILENT_CONSOLE)
    record, storage = open_record(settings, "quick"), open_checkpoint_folder(settings)
    archive_trials([trial.id for trial in study.trials], record, storage, "a test")
    assert {planned.status for planned in plan(study, settings).trials} == {TrialStatus.NEW}


def test_run_that_is_killed_is_resumed_from_its_checkpoint(one_seed_study, make_settings, run_with_launcher):
    settings = make_settings()
    first = plan(one_seed_study, settings).to_run[0].trial

    class Killed(BaseException):
        """Ends the run without any cleanup."""

    def kill_after_one_epoch(groups, concurrency, report, stop):
        def report_and_kill(progress):
            report(progress)
            if progress.status == TrialStatus.RUNNING and progress.epoch == 1:
                raise Killed

        launch(groups, concurrency, report_and_kill, stop)

    with pytest.raises(Killed):
        run_with_launcher(one_seed_study, settings, kill_after_one_epoch)
    folder = open_checkpoint_folder(settings) / first.id
    interrupted = read_newest_history(folder, first.id)
    assert interrupted.epochs[-1].epoch == 1
    assert {p.trial.id: p.status for p in plan(one_seed_study, settings).trials}[first.id] == TrialStatus.INTERRUPTED
    run(one_seed_study, settings, SILENT_CONSOLE)
    resumed = read_newest_history(folder, first.id)
    assert [epoch.epoch for epoch in resumed.epochs] == [0, 1, 2]
    assert resumed.epochs[1].at == interrupted.epochs[1].at


def test_interrupted_trial_keeps_its_memory_format(quick_study, make_settings, monkeypatch, fail_training):
    """A variant that is added changes the rule's memory format for new trials only."""
    wide = {"family": "cifar-resnet", "depth": 8, "shortcut": "identity"}
    fields = {"contrasts": None, "seeds": [100], "execution": {"checkpoint_seconds": 0}}
    study, settings = quick_study(variants=[wide], **fields), make_settings()
    with monkeypatch.context() as patched:
        fail_training(patched, 6)
        assert run(study, settings, SILENT_CONSOLE).failed
    extended = quick_study(variants=[wide, {**wide, "set": {"widths": [2, 4, 8]}}], **fields)
    assert (study.execution.memory_format, extended.execution.memory_format) == ("channels_last", "auto")
    assert run(extended, settings, SILENT_CONSOLE).trained == 2
    folder = open_checkpoint_folder(settings)
    histories = [read_newest_history(folder / trial.id, trial.id) for trial in extended.trials]
    assert [history.provenance["attempts"] for history in histories] == [2, 1]
    assert [history.provenance["memory_format"] for history in histories] == ["channels_last", "contiguous_format"]


def test_trial_that_raises_fails_alone_and_is_trained_by_the_next_run(quick_study, make_settings, monkeypatch):
    original = Trainer.train_epoch

    def train_or_raise(trainer, *arguments):
        if trainer.trial.variant.is_plain and trainer.trial.seed == 101:
            raise RuntimeError("broken on purpose")
        return original(trainer, *arguments)

    settings, study = make_settings(uri=None), quick_study()
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "train_epoch", train_or_raise)
        result = run(study, settings, SILENT_CONSOLE)
    assert result.trained == 6
    assert set(result.failed.values()) == {"RuntimeError: broken on purpose"}
    record = open_record(settings, "quick")
    failed = [trial for trial in record.read_trials().values() if trial.status == TrialStatus.FAILED]
    assert len(failed) == len(collect("quick", settings)[0].missing) == 2
    assert "broken on purpose" in record.read_traceback(failed[0].run_id)
    assert run(study, settings, SILENT_CONSOLE).trained == 2
    assert collect("quick", settings)[0].missing == []


def test_diverged_trials_are_recorded_as_results(quick_study, make_settings):
    settings = make_settings()
    study = quick_study(recipe={"epochs": 3, "batch": 64, "lr": 1e30}, seeds=[100])
    result = run(study, settings, SILENT_CONSOLE)
    assert result.trained == 4 and not result.failed
    assert set(trial_statuses(settings).values()) == {TrialStatus.DIVERGED}
    assert {planned.status for planned in plan(study, settings).trials} == {TrialStatus.DIVERGED}
    results = collect("quick", settings)[0]
    assert set(results.final["outcome"]) == {"diverged"}
    assert set(results.final["train/error"]) == {90.0}
    # The epoch that diverged is in the table, and not only the one before the first update.
    assert set(results.epochs["epoch"]) == {0, 1}


def test_host_that_sees_another_storage_ends_the_run(quick_study, make_settings, run_with_launcher):
    """It would fail one trial after another; those of other hosts write checkpoints."""
    stops = []

    def launcher(groups, concurrency, report, stop):
        trial = groups[0].tasks[0].trial.id
        report(Progress(trial, TrialStatus.FAILED, message="h7 does not see the checkpoints", wrong_storage=True))
        stops.append(stop.is_requested)

    result = run_with_launcher(quick_study(), make_settings(), launcher)
    assert stops == [True]
    assert len(result.failed) == 1 and len(result.interrupted) == 7
    assert result.stop_reason == "h7 does not see the checkpoints"


@pytest.mark.parametrize(
    ("launcher", "uri"), [("inline", "none"), pytest.param("ray", None, marks=pytest.mark.slow)], ids=["inline", "ray"]
)
def test_run_of_seed_ensembles_gives_the_same_but_for_rounding(quick_study, make_settings, launcher, uri):
    settings = make_settings(launcher, uri)
    study = quick_study(seeds=SEEDS, execution=ENSEMBLES)
    assert [len(group.trials) for group in plan(study, settings).groups] == [3] * 4
    result = run(study, settings, SILENT_CONSOLE)
    assert (result.trained, result.failed, result.unpublished) == (12, {}, [])
    results = collect("quick", settings)[0]
    assert results.missing == [] and results.epochs["shared"].all()
    alone = make_settings(home="alone")
    run(quick_study(seeds=SEEDS), alone, SILENT_CONSOLE)
    together, separate = results_without_times(settings), results_without_times(alone)
    start = together["epoch"] == 0
    assert list(together["trial"]) == list(separate["trial"])
    assert list(together[start]["grad/first"]) == pytest.approx(list(separate[start]["grad/first"]), rel=1e-4)
    assert run(study, settings, SILENT_CONSOLE).trained == 0


@pytest.mark.slow
def test_ray_worker_that_is_killed_is_replaced_with_the_same_results(quick_study, make_settings):
    recipe = {"epochs": 40, "batch": 64, "lr": 0.05}
    study = quick_study(seeds=SEEDS, execution=ENSEMBLES, recipe=recipe, variants=["cifar-resnet20"], contrasts=None)
    settings = make_settings("ray", home="ray")
    folders = [open_checkpoint_folder(settings) / trial.id for trial in study.trials]

    def kill_worker_after_checkpoints():
        until = time.monotonic() + 120
        while not all(len(list_checkpoints(folder)) == KEPT_CHECKPOINTS for folder in folders):
            assert time.monotonic() < until, "no checkpoint was written"
            time.sleep(0.05)
        (worker,) = {read_attempts(folder)[0].process.pid for folder in folders}
        os.kill(worker, signal.SIGKILL)

    with ThreadPoolExecutor() as pool:
        killed = pool.submit(kill_worker_after_checkpoints)
        result = run(study, settings, SILENT_CONSOLE)
        killed.result()
    assert (result.trained, result.failed) == (3, {})
    attempts = [read_attempts(folder) for folder in folders]
    assert [[a.end_status for a in of_trial] for of_trial in attempts] == [[None, TrialStatus.FINISHED]] * 3
    assert min((of_trial[1].epoch, of_trial[1].step) for of_trial in attempts) > (0, 0)
    inline = make_settings(home="inline")
    assert run(study, inline, SILENT_CONSOLE).failed == {}
    assert results_without_times(settings).equals(results_without_times(inline))
