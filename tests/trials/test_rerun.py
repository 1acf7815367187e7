"""A trial that is trained again gives the same bit for bit, or the record stays as it was. Real trials and stores."""

from dataclasses import replace

import pytest
from trial_helpers import SILENT_CONSOLE, read_trial_files, results_without_times, trial_statuses

from harness.api import Settings, run
from harness.api.trials.clean_up import clean_up
from harness.api.trials.find import find_trial, open_index
from harness.api.trials.rerun import rerun
from harness.errors import HarnessError
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import find_ensemble_seeds, read_newest_history
from harness.tracking.record import open_checkpoint_folder, open_record
from harness.trials.rerun import DebugLauncher
from harness.trials.rerun_comparison import first_difference

pytestmark = pytest.mark.filterwarnings("ignore:.*damaged")
SEEDS = (100, 101, 102)


def rerun_inline(trial, settings, launcher=None, **options):
    return rerun(trial.id, settings, SILENT_CONSOLE, launcher or DebugLauncher(), **options)


def is_identical(done):
    """Return whether a rerun is complete and equal to the earlier training."""
    return done.after is not None and first_difference(done.before, done.after) == ""


def read_files_without_rerun(settings):
    files = read_trial_files(settings.home)
    return {path: content for path, content in files.items() if ".again" not in str(path)}


def test_rerun_replaces_the_earlier_training_and_archives_it(one_seed_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    results, trial, storage = (
        results_without_times(settings),
        one_seed_study.trials[1],
        open_checkpoint_folder(settings),
    )
    done = rerun_inline(trial, settings)
    assert is_identical(done)
    assert done.after.epochs[-1].at > done.before.epochs[-1].at
    assert results_without_times(settings).equals(results)
    assert set(trial_statuses(settings).values()) == {TrialStatus.FINISHED}
    assert read_newest_history(storage / trial.id, trial.id) == done.after
    assert read_newest_history(storage / f"{trial.id}.superseded-1", trial.id) == done.before
    assert not (storage / f"{trial.id}.again").list_names()
    (archived,) = open_index(["quick"], settings)[0].list_archived("quick")
    assert (archived.status, archived.archive_note.reason) == (
        TrialStatus.SUPERSEDED,
        "trained again by harness rerun",
    )
    assert run(one_seed_study, settings, SILENT_CONSOLE).trained == 0


def test_rerun_of_a_trial_without_tensors_is_identical_on_ray(one_seed_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    clean_up((), settings)
    launcher = "inline" if settings.tracking_uri else "ray"
    assert is_identical(rerun(one_seed_study.trials[1].id, replace(settings, launcher=launcher), SILENT_CONSOLE))


def test_rerun_that_fails_leaves_the_record_as_it_is(one_seed_study, settings, monkeypatch, fail_training):
    run(one_seed_study, settings, SILENT_CONSOLE)
    files, results, trial = read_trial_files(settings.home), results_without_times(settings), one_seed_study.trials[2]
    launcher = DebugLauncher()
    with monkeypatch.context() as patched:
        fail_training(patched, 8)
        done = rerun_inline(trial, settings, launcher)
    assert done.after is None and done.result.failed
    assert "out of [bold]luck" in done.traceback
    # A debugger opens where the training raised.
    trace = launcher.error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    assert trace.tb_frame.f_code.co_name == "forward"
    assert read_files_without_rerun(settings) == files
    assert results_without_times(settings).equals(results)
    assert set(trial_statuses(settings).values()) == {TrialStatus.FINISHED}
    assert is_identical(rerun_inline(trial, settings))


def test_rerun_that_is_stopped_is_resumed(one_seed_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    files, trial = read_trial_files(settings.home), one_seed_study.trials[3]

    class StoppingLauncher(DebugLauncher):
        """Asks for a stop at the end of the first epoch."""

        def __call__(self, groups, concurrency, report, stop):
            def report_and_stop(progress):
                report(progress)
                if progress.epoch:
                    stop.request("a test")

            super().__call__(groups, concurrency, report_and_stop, stop)

    stopped = rerun_inline(trial, settings, StoppingLauncher())
    assert (stopped.after, len(stopped.result.interrupted)) == (None, 1)
    summary, _ = find_trial(trial.id, settings)
    assert (summary.status, summary.unfinished_rerun.last_epoch) == (TrialStatus.FINISHED, 1)
    (skipped,) = [folder for folder in clean_up([], settings, dry_run=True).folders["quick"] if folder.skip_reason]
    assert skipped.folder == f"{trial.id}.again" and f"harness rerun {trial.id}" in skipped.skip_reason
    assert read_files_without_rerun(settings) == files
    assert is_identical(rerun_inline(trial, settings))
    attempts = find_trial(trial.id, settings)[0].attempts
    assert [attempt.end_status for attempt in attempts] == [TrialStatus.INTERRUPTED, TrialStatus.FINISHED]


class Killed(BaseException):
    """Ends a rerun without any cleanup."""


@pytest.fixture
def cut_off_trial(one_seed_study, settings, monkeypatch):
    """A trial whose rerun was killed after it archived the trial, and before it took the trial's place."""
    run(one_seed_study, settings, SILENT_CONSOLE)

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("harness.trials.rerun.promote_rerun", kill)
        rerun_inline(one_seed_study.trials[0], settings)
    return one_seed_study.trials[0]


def test_rerun_that_was_cut_off_takes_the_place_of_the_trial_at_the_next_rerun(cut_off_trial, settings):
    trial, storage = cut_off_trial, open_checkpoint_folder(settings)
    summary, _ = find_trial(trial.id, settings)
    assert (summary.status, len(summary.archived)) == (TrialStatus.NEW, 1)
    assert read_newest_history(storage / f"{trial.id}.superseded-1", trial.id).is_complete
    left = read_newest_history(storage / f"{trial.id}.again" / trial.id, trial.id)
    done = rerun_inline(trial, settings)
    assert trial_statuses(settings)[trial.id] == TrialStatus.FINISHED
    assert is_identical(done) and done.after == left, "it is not trained once more"
    assert read_newest_history(storage / trial.id, trial.id) == left
    assert not (storage / f"{trial.id}.again").list_names()


def test_rerun_that_was_cut_off_never_replaces_what_was_trained_since(cut_off_trial, one_seed_study, settings):
    trial = cut_off_trial
    assert run(one_seed_study, settings, SILENT_CONSOLE).trained == 1
    since = read_newest_history(open_checkpoint_folder(settings) / trial.id, trial.id)
    done = rerun_inline(trial, settings)
    assert done.before == since and done.after.epochs[0].at > since.epochs[-1].at


def test_rerun_does_not_overwrite_the_recorded_experiment(one_seed_study, settings, monkeypatch):
    """Another interim look may be recorded while the trial trains."""
    run(one_seed_study, settings, SILENT_CONSOLE)
    record_class = type(open_record(settings, "quick", create=False))
    written = []
    with monkeypatch.context() as patched:
        patched.setattr(record_class, "write_experiment", lambda record, study: written.append(study))
        assert rerun_inline(one_seed_study.trials[0], settings).after is not None
    # Only the rerun's temporary record is written, which is a record of checkpoints.
    assert len(written) == (settings.tracking_uri == "none")


def test_rerun_needs_the_data_of_the_earlier_training(quick_study, image_folder, settings, tmp_path):
    root = image_folder()
    data = {"name": "imagefolder", "root": str(root), "image_size": 8}
    study = quick_study(data=data, recipe={"epochs": 1, "batch": 16, "lr": 0.05}, seeds=[100], contrasts=None)
    run(study, settings, SILENT_CONSOLE)
    trial = study.trials[0]
    moved = root.rename(tmp_path / "moved")
    with pytest.raises(HarnessError):
        rerun_inline(trial, settings)
    assert is_identical(rerun_inline(trial, settings, data_root=moved))
    next(moved.rglob("*.png")).unlink()
    with pytest.raises(HarnessError, match="fingerprint"):
        rerun_inline(trial, settings, data_root=moved)
    assert find_trial(trial.id, settings)[0].status == TrialStatus.FINISHED


def test_rerun_of_an_ensemble_seed_is_identical_even_if_new_seeds_train_alone(quick_study, tmp_path):
    settings = Settings(home=tmp_path / "home", tracking_uri="none", launcher="inline")
    one_variant = {"variants": ["cifar-resnet20"], "contrasts": None}
    study = quick_study(seeds=list(SEEDS), execution={"seeds_together": 3, "checkpoint_seconds": 0}, **one_variant)
    run(study, settings, SILENT_CONSOLE)
    done = rerun_inline(study.trials[1], settings)
    assert is_identical(done) and find_ensemble_seeds(done.after) == SEEDS
    assert run(quick_study(seeds=[*SEEDS, 200], **one_variant), settings, SILENT_CONSOLE).trained == 1
    done = rerun_inline(study.trials[1], settings)
    assert is_identical(done) and find_ensemble_seeds(done.after) == SEEDS


def test_rerun_in_a_storage_that_is_no_directory_is_identical(one_seed_study, tmp_path):
    storage = f"memory://depthbench-{tmp_path.name}"
    settings = Settings(tmp_path / "home", "none", "inline", reports=tmp_path / "reports", storage=storage)
    run(one_seed_study, settings, SILENT_CONSOLE)
    assert clean_up((), settings).freed > 0
    assert is_identical(rerun_inline(one_seed_study.trials[0], settings))
