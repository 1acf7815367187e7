"""Plan and launchers, with real trials and a real store."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from harness.api import Settings, collect, load_resolved_experiment, parse_seeds, plan, run
from harness.errors import HarnessError
from harness.execution.progress import Progress
from harness.experiments.driver import run_plan
from harness.experiments.planning.plan import make_plan, require_trainable
from harness.experiments.progress_display import Display
from harness.io.storage import Folder
from harness.specs import Resources
from harness.tracking.history import read_newest_history
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.record import open_checkpoint_folder

QUIET = Console(file=io.StringIO(), width=140)


@pytest.fixture
def settings(tmp_path):
    def make(launcher="inline", uri=None, home="home"):
        return Settings(home=tmp_path / home, tracking_uri=uri, launcher=launcher, reports=tmp_path / "reports")

    return make


def _untimed(results):
    """Everything but clocks and dates: what must be equal however trials were run."""
    frame = results.epochs
    volatile = [c for c in frame.columns if c.startswith("time/")] + ["at", "shared"]
    return frame.drop(columns=volatile)


def _new_plan(study, home):
    storage = Folder.from_location(home / "trials")
    return make_plan(study, CheckpointRecord(home, "quick", storage), storage, 2)


def test_inline_run_records_everything_once(quick_study, settings):
    study, here = quick_study(), settings()
    outcome = run(study, here, QUIET)
    assert (outcome.trained, outcome.failed, outcome.unpublished) == (8, {}, [])
    results, record = collect("quick", here)
    assert results.missing == []
    assert set(results.epochs["epoch"]) == {0, 1, 2}
    assert set(results.epochs["counter"]) == {"fvcore"}
    assert {run.info.status for run in record.list_runs("variant")} == {"FINISHED"}
    again = run(study, here, QUIET)
    assert again.trained == 0
    assert collect("quick", here)[0].epochs.equals(results.epochs)


def test_ray_gives_bit_for_bit_what_inline_gives(quick_study, settings):
    """Reused workers of Ray Tune against one process, equal execution settings."""
    study = quick_study()
    run(study, settings("ray", home="ray"), QUIET)
    run(study, settings("inline", "none", home="inline"), QUIET)
    by_ray, inline = collect("quick", settings(home="ray"))[0], collect("quick", settings(uri="none", home="inline"))[0]
    assert _untimed(by_ray).equals(_untimed(inline))


def test_added_seeds_run_only_what_is_missing(quick_study, settings):
    here = settings(uri="none")
    run(quick_study(), here, QUIET)
    more = quick_study(seeds=[100, 101, 102])
    plan = make_plan(more, here.record("quick"), open_checkpoint_folder(here), 1)
    assert [p.trial.seed for p in plan.to_run] == [102] * 4
    assert run(more, here, QUIET).trained == 4


def test_two_experiments_share_a_trial(quick_study, settings):
    here = settings()
    run(quick_study(), here, QUIET)
    other = quick_study(name="other", question="Another?")
    plan = make_plan(other, here.record("other"), open_checkpoint_folder(here), 1)
    assert {p.state for p in plan.trials} == {"unpublished"}
    assert run(other, here, QUIET).trained == 0
    first, second = collect("quick", here)[0], collect("other", here)[0]
    assert first.epochs.equals(second.epochs)


def test_a_trial_recorded_elsewhere_needs_no_journal(quick_study, settings, tmp_path):
    here = settings()
    run(quick_study(), here, QUIET)
    (here.home / "trials").rename(tmp_path / "away")
    other = quick_study(name="other")
    plan = make_plan(other, here.record("other"), open_checkpoint_folder(here), 1)
    assert {p.state for p in plan.trials} == {"elsewhere"}
    assert run(other, here, QUIET).trained == 0
    assert collect("other", here)[0].missing == []


def test_force_trains_again_and_deletes_nothing(quick_study, settings):
    here, study = settings(), quick_study(seeds=[100])
    run(study, here, QUIET)
    assert run(study, here, QUIET, force=True).trained == 4
    _, record = collect("quick", here)
    assert len(record.list_runs("trial")) == 8
    assert len(list((here.home / "trials").glob("*.superseded-1"))) == 4


def test_forced_trials_do_not_come_back_from_another_experiment(quick_study, settings):
    here = settings()
    run(quick_study(seeds=[100]), here, QUIET)
    run(quick_study(seeds=[100], name="other"), here, QUIET)
    study = quick_study(seeds=[100])
    from harness.experiments.reconcile import archive_trials

    record = here.record("quick")
    archive_trials([trial.id for trial in study.trials], record, open_checkpoint_folder(here), "a test")
    plan = make_plan(study, here.record("quick"), open_checkpoint_folder(here), 1)
    assert {p.state for p in plan.trials} == {"new"}


def test_a_stopped_trial_goes_on_from_its_checkpoint(quick_study, settings):
    study, here = quick_study(execution={"checkpoint_seconds": 0}, seeds=[100]), settings(uri="none")

    class Stop(BaseException):
        """As an interrupt would."""

    def stopping(progress):
        if progress.outcome == "running" and progress.epoch == 1:
            raise Stop

    from harness.experiments.driver import run_plan
    from harness.launchers.inline import launch

    record = here.record("quick")
    plan = make_plan(study, record, open_checkpoint_folder(here), 1)
    with pytest.raises(Stop):
        run_plan(plan, record, open_checkpoint_folder(here), launch, stopping)
    first = plan.to_run[0].trial
    journal = read_newest_history(open_checkpoint_folder(here) / first.id, first.id)
    assert journal.epochs[-1].epoch == 1
    states = {p.trial.id: p.state for p in make_plan(study, record, open_checkpoint_folder(here), 1).trials}
    assert states[first.id] == "started"
    stopped_at = journal.epochs[-1].at
    run(study, here, QUIET)
    whole = read_newest_history(open_checkpoint_folder(here) / first.id, first.id)
    assert [e.epoch for e in whole.epochs] == [0, 1, 2]
    assert whole.epochs[1].at == stopped_at


def test_checkpoints_that_were_left_in_another_place_are_named(quick_study, settings, tmp_path, monkeypatch, failing):
    study, here = quick_study(execution={"checkpoint_seconds": 0}, seeds=[100]), settings()
    with monkeypatch.context() as patched:
        failing(patched, 20)
        assert run(study, here, QUIET).failed
    begun = [p.trial.id for p in plan(study, here).trials if p.state == "started"]
    moved = replace(here, storage=str(tmp_path / "other"))
    warning = plan(study, moved).warning
    assert begun and "had begun with checkpoints in" in warning and f"--storage {open_checkpoint_folder(here)}" in warning
    assert plan(study, here).warning == ""
    run(study, here, QUIET)
    assert plan(study, moved).warning == "", "nothing is left to go on with"


def test_what_has_begun_ends_in_its_memory_format(quick_study, settings, monkeypatch, failing):
    """Also where a variant comes to the experiment for which the rule has another one."""
    wide = {"family": "cifar-resnet", "depth": 8, "shortcut": "identity"}
    fields = {"contrasts": None, "seeds": [100], "execution": {"checkpoint_seconds": 0}}
    study, here = quick_study(variants=[wide], **fields), settings(uri="none")
    with monkeypatch.context() as patched:
        failing(patched, 6)
        assert run(study, here, QUIET).failed
    more = quick_study(variants=[wide, {**wide, "set": {"widths": [2, 4, 8]}}], **fields)
    assert (study.execution.memory_format, more.execution.memory_format) == ("channels_last", "auto")
    assert run(more, here, QUIET).trained == 2
    journals = [read_newest_history(open_checkpoint_folder(here) / trial.id, trial.id) for trial in more.trials]
    assert [journal.provenance["attempts"] for journal in journals] == [2, 1]
    assert [journal.provenance["memory_format"] for journal in journals] == ["channels_last", "contiguous_format"]


def test_a_failed_trial_fails_alone(quick_study, settings, monkeypatch):
    from harness.training.trainer import Trainer

    original = Trainer.train_epoch

    def breaking(self, *arguments):
        if self.trial.variant.is_plain and self.trial.seed == 101:
            raise RuntimeError("the weather")
        return original(self, *arguments)

    monkeypatch.setattr(Trainer, "train_epoch", breaking)
    here, study = settings(), quick_study()
    outcome = run(study, here, QUIET)
    assert outcome.trained == 6
    assert set(outcome.failed.values()) == {"RuntimeError: the weather"}
    results, record = collect("quick", here)
    assert len(results.missing) == 2
    failed = [r for r in record.list_runs("trial") if r.info.status == "FAILED"]
    assert len(failed) == 2
    assert "the weather" in record._artifact(failed[0].info.run_id, "traceback.txt").decode()
    monkeypatch.undo()
    assert run(study, here, QUIET).trained == 2
    assert collect("quick", here)[0].missing == []


def test_diverged_trials_are_results(quick_study, settings):
    here = settings(uri="none")
    study = quick_study(recipe={"epochs": 3, "batch": 64, "lr": 1e30}, seeds=[100])
    outcome = run(study, here, QUIET)
    assert outcome.trained == 4 and not outcome.failed
    results = collect("quick", here)[0]
    assert set(results.final["outcome"]) == {"diverged"}
    assert set(results.final["train/error"]) == {90.0}
    # The epoch that diverged is in the record, not only what was before the first update.
    assert set(results.epochs["epoch"]) == {0, 1}


def test_the_longest_come_first_and_estimates_grow_with_depth(quick_study, tmp_path):
    study = quick_study()
    plan = _new_plan(study, tmp_path)
    assert [p.trial.variant.depth for p in plan.to_run] == [14] * 4 + [8] * 4
    assert plan.seconds == pytest.approx(sum(p.seconds for p in plan.to_run) / 2)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"recipe": {"epochs": 1, "batch": 257, "lr": 0.1}}, "larger than the 256 training images"),
        ({"recipe": {"epochs": 1, "batch": 8, "lr": 0.1, "augment": "resized-crop-flip"}}, "works on image files"),
        (
            {"recipe": {"epochs": 1, "batch": 8, "lr": 0.1, "augment": "crop", "crop_padding": 8}},
            "crop images of 8 away",
        ),
        (
            {
                "seeds": list(range(8)),
                "contrasts": [
                    {"kind": "difference", "a": "cifar-plain8-w2", "b": "cifar-resnet8-w2", "metric": m, "side": s}
                    for m in ("test/error", "train/error", "train/error_clean")
                    for s in ("less", "greater", "two-sided")
                ]
                + [
                    {"kind": "difference", "a": "cifar-plain14-w2", "b": "cifar-resnet8-w2", "metric": m, "side": s}
                    for m in ("test/error", "train/error")
                    for s in ("less", "greater")
                ],
            },
            "Use at least 10 seeds",
        ),
    ],
)
def test_what_could_not_be_trained_or_decided_is_refused_in_the_plan(quick_study, changes, says):
    with pytest.raises(HarnessError, match=says):
        require_trainable(quick_study(**changes))


def test_resources_that_are_not_there(quick_study, settings):
    for resources, says in (({"cpus": 999}, "999 CPUs"), ({"gpus": 1}, "GPU")):
        here = settings()
        with pytest.raises(HarnessError, match=says):
            run(quick_study(resources=resources), here, QUIET)
        assert not here.home.exists()
    assert Resources().gpus == 0


def test_seeds_on_the_command_line():
    assert parse_seeds("10-12,20") == [10, 11, 12, 20]
    assert parse_seeds("10,") == parse_seeds("10-10") == [10]
    with pytest.raises(HarnessError, match="is no seed"):
        parse_seeds("1-x")


def test_a_number_of_seeds_takes_the_experiments_own_and_then_the_next(quick_study, experiment_file, settings):
    assert [parse_seeds(str(n), (3, 17, 5)) for n in (1, 3, 5)] == [[3], [3, 17, 5], [3, 17, 5, 18, 19]]
    for text in ("0", "10001", "9" * 10):
        with pytest.raises(HarnessError, match="seeds are asked for"):
            parse_seeds(text)
    path, here = str(experiment_file()), settings(uri="none")
    assert load_resolved_experiment(path, ["seeds=[7]"], "2").experiment.seeds == (7, 8)
    run(load_resolved_experiment(path, seeds="1"), here, QUIET)
    more = load_resolved_experiment(path, seeds="3")
    assert more.experiment.seeds == (100, 101, 102)
    assert {p.trial.seed for p in plan(more, here).to_run} == {101, 102}
    assert run(more, here, QUIET).trained == 8


def test_plain_lines_when_not_on_a_terminal(quick_study, tmp_path):
    plan = _new_plan(quick_study(), tmp_path)
    text = io.StringIO()
    first, second = plan.to_run[0].trial, plan.to_run[1].trial
    with Display(plan, Console(file=text, width=140)) as display:
        display(Progress(first.id, "running", 1, 50.0))
        display(Progress(first.id, "finished", 2, 20.9, 18.1, 7.2))
        display(Progress(second.id, "failed", message="out of [bold]luck"))
    lines = text.getvalue().splitlines()
    assert lines[0].startswith("[1/8] " + first.label)
    assert "20.90 %" in lines[0] and "left" in lines[0]
    assert "failed: out of [bold]luck" in lines[1]


def test_depth_is_compared_with_nothing_else_changed(quick_study):
    both = {"family": "cifar-resnet", "shortcut": ["none", "identity"]}
    variants = [
        {**both, "depth": 8, "set": {"widths": [2, 4, 8]}},
        {**both, "depth": 14, "set": {"widths": [4, 8, 16]}},
    ]
    with pytest.raises(HarnessError, match="differ in widths"):
        quick_study(variants=variants)


def test_a_margin_is_worth_some_images(quick_study):
    with pytest.raises(HarnessError, match="less than 2 of the 256 training images"):
        quick_study(contrasts=[{"kind": "degradation", "shallow": 8, "deep": 14, "margin": 0.5}])


def test_a_host_that_sees_other_checkpoints_ends_the_run(quick_study, settings):
    """It would fail one trial after another; those of other hosts write checkpoints."""
    study, here = quick_study(), settings(uri="none")
    record = here.record("quick")
    record.create_experiment(study)

    def launcher(jobs, concurrency, report, stop):
        report(Progress(jobs[0].trial.id, "failed", message="h7 does not see the checkpoints", astray=True))
        assert stop.is_requested

    outcome = run_plan(
        make_plan(study, record, open_checkpoint_folder(here), 1),
        record,
        open_checkpoint_folder(here),
        launcher,
        lambda progress: None,
    )
    assert len(outcome.failed) == 1 and len(outcome.stopped) == 7
    assert outcome.ended == "h7 does not see the checkpoints"
