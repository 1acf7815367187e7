"""Runs are created once, with the user and the source that MLflow's UI shows, at their true start."""

import getpass
import subprocess
from pathlib import Path

import pytest
from tracking.helpers import START, make_history, publish_all, read_metric

from harness.errors import StoreUnavailable
from harness.experiments.record_sync import sync_record
from harness.io.checkpoint_names import Checkpoint
from harness.io.storage import Folder
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import STARTED
from harness.tracking.mlflow_record.publishing.background_publisher import BackgroundPublisher
from harness.tracking.mlflow_record.store.client import create_client
from harness.tracking.mlflow_record.store.patience import Patience
from harness.tracking.mlflow_record.writer import MlflowRecord
from harness.training.checkpoint_file import write_checkpoint

REPOSITORY = Path(__file__).resolve().parents[3]


def with_start(history, started):
    return history.model_copy(update={"provenance": {**history.provenance, STARTED: started}})


def lose_answers(monkeypatch, record, name, times=1):
    """Let a method of the record's client be carried out, and its answer be lost, ``times`` times."""
    original, left = getattr(record.client._client, name), [times]

    def call(*arguments, **named):
        result = original(*arguments, **named)
        if left[0]:
            left[0] -= 1
            raise ConnectionResetError("reset")
        return result

    monkeypatch.setattr(record.client._client, name, call)


@pytest.mark.parametrize("name", ["create_run", "set_tag", "log_batch", "log_inputs", "create_experiment"])
def test_record_whose_answers_are_lost_holds_everything_once(study, tmp_path, empty_sqlite_store, monkeypatch, name):
    monkeypatch.setattr("harness.tracking.mlflow_record.store.patience.RETRY_SECONDS", 0)
    (tmp_path / "mlflow.db").write_bytes(empty_sqlite_store)
    record = MlflowRecord(f"sqlite:///{tmp_path}/mlflow.db", study.experiment.name, patience=Patience(30))
    lose_answers(monkeypatch, record, name, times=3)
    record.prepare_runs(study)
    histories = publish_all(record, study)
    for variant in study.variants:
        of_variant = [h for h in histories if h.trial.variant.name == variant.name]
        record.write_seed_means(study, variant, of_variant)
    record.refresh_runs()
    counts = {kind: len(record.list_runs(kind)) for kind in ("report", "variant", "trial")}
    assert counts == {"report": 1, "variant": 2, "trial": 4}
    for run in record.list_runs("trial"):
        assert len(read_metric(record, run.info.run_id, "cost/macs")) == 1
        assert len(run.inputs.dataset_inputs) == 1


def test_record_without_patience_raises_and_the_next_try_finds_the_run(sqlite_record, study, monkeypatch):
    lose_answers(monkeypatch, sqlite_record, "create_run")
    with pytest.raises(StoreUnavailable):
        sqlite_record.create_trial_run(study, study.trials[0])
    run_id = sqlite_record.create_trial_run(study, study.trials[0])
    sqlite_record.refresh_runs()
    assert [run.info.run_id for run in sqlite_record.list_runs("trial")] == [run_id]


def test_costs_of_a_trial_that_begins_several_times_stand_once(sqlite_record, study):
    """Each attempt that ends before its first checkpoint sends the static costs again."""
    trial = study.trials[0]
    run_id = sqlite_record.create_trial_run(study, trial)
    empty = make_history(trial, epochs=0, outcome=TrialStatus.RUNNING)
    for started in (START - 9000, START - 5000, START - 4000):
        sqlite_record.publish_history(run_id, with_start(empty, started))
    sqlite_record.publish_history(run_id, make_history(trial))
    for key in ("cost/params", "cost/macs", "cost/flops", "cost/activations"):
        assert [row[2] for row in read_metric(sqlite_record, run_id, key)] == [START - 9000]


def test_publisher_creates_the_run_of_a_trial_at_its_start(sqlite_record, study):
    trial = study.trials[0]
    new = sqlite_record.new_trial_run(study, trial)
    history = with_start(make_history(trial), START - 2500)
    for _ in range(2):
        publisher = BackgroundPublisher(sqlite_record.uri, "", new, history.started)
        publisher.publish(history)
        assert publisher.close(60), publisher.last_error
    sqlite_record.refresh_runs()
    (run,) = sqlite_record.list_runs("trial")
    assert run.info.run_id == publisher.run_id
    assert (run.info.start_time, run.info.end_time) == (START - 2500, START + 2000)
    assert run.data.tags["mlflow.parentRunId"] in {v.info.run_id for v in sqlite_record.list_runs("variant")}


def test_every_run_shows_user_source_and_commit(sqlite_record, study):
    publish_all(sqlite_record, study)
    git = ["git", "-C", str(REPOSITORY), "rev-parse", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    for kind in ("report", "variant", "trial"):
        for run in sqlite_record.list_runs(kind):
            tags = run.data.tags
            assert tags["mlflow.user"] == getpass.getuser()
            assert tags["mlflow.source.name"] == f"harness run {study.experiment.name}"
            assert tags["mlflow.source.type"] == "LOCAL"
            assert tags.get("mlflow.source.git.commit", "") == commit


def test_variant_run_lasts_from_its_first_trial_to_its_last(sqlite_record, study):
    """Trials that another experiment has trained began before this experiment's runs were created."""
    variant = study.variants[0]
    trials = [trial for trial in study.trials if trial.variant.name == variant.name]
    histories = [with_start(make_history(trial), START - 100 * n) for n, trial in enumerate(trials)]
    for history in histories:
        sqlite_record.publish_history(sqlite_record.create_trial_run(study, history.trial, history.started), history)
    sqlite_record.write_seed_means(study, variant, histories)
    sqlite_record.write_seed_means(study, variant, histories)
    sqlite_record.refresh_runs()
    (run,) = [run for run in sqlite_record.list_runs("variant") if run.data.tags["variant"] == variant.name]
    assert (run.info.start_time, run.info.end_time) == (START - 100, START + 2000)
    assert [row[:2] for row in read_metric(sqlite_record, run.info.run_id, "cost/macs")] == [(0, 2**40 + 1)]


def test_variant_run_whose_creation_was_cut_off_gets_its_parameters(sqlite_record, study):
    (first, *_), client = sqlite_record.list_runs("variant"), create_client(sqlite_record.uri)
    bare = client.create_run(sqlite_record.experiment_id, START, dict(first.data.tags), first.info.run_name)
    client.delete_run(first.info.run_id)
    for _ in range(2):
        sqlite_record.prepare_runs(study)
    run = client.get_run(bare.info.run_id)
    assert run.data.params == first.data.params and len(run.inputs.dataset_inputs) == 1


def test_variant_run_that_was_left_in_part_gets_no_other_means(sqlite_record, study, monkeypatch):
    """A process was killed while it wrote the means of one seed; the next run has two seeds."""
    variant = study.variants[0]
    histories = [h for h in publish_all(sqlite_record, study) if h.trial.variant.name == variant.name]

    class Killed(BaseException):
        pass

    set_tag = sqlite_record.client._client.set_tag

    def kill_at_the_end(run_id, key, value):
        if key == "seeds":
            raise Killed
        set_tag(run_id, key, value)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(sqlite_record.client._client, "set_tag", kill_at_the_end)
        sqlite_record.write_seed_means(study, variant, histories[:1])
    sqlite_record.refresh_runs()
    sqlite_record.write_seed_means(study, variant, histories)
    sqlite_record.refresh_runs()
    (run,) = [run for run in sqlite_record.list_runs("variant") if run.data.tags["variant"] == variant.name]
    assert [row[:2] for row in read_metric(sqlite_record, run.info.run_id, "train/error")] == [(1, 50.5), (2, 25.5)]
    assert [row[1] for row in read_metric(sqlite_record, run.info.run_id, "seeds/n")] == [2]


def test_report_run_ends_with_the_last_run_that_trained(sqlite_record, tmp_path):
    directory = tmp_path / "reports"
    directory.mkdir()
    (directory / "README.md").write_text("a report")

    def end_time():
        sqlite_record.refresh_runs()
        (report,) = sqlite_record.list_runs("report")
        return report.info.end_time

    sqlite_record.write_end_reason("all trials are recorded")
    first = end_time()
    sqlite_record.attach_report(directory, "**Undecided.**")
    sqlite_record.write_end_reason("all trials are recorded", has_trained=False)
    sqlite_record.attach_report(directory, "**Undecided.**")
    assert end_time() == first
    sqlite_record.write_end_reason("all trials are recorded")
    assert end_time() > first


def test_remove_duplicate_runs_keeps_the_complete_run_of_a_trial(sqlite_record, study):
    """Two processes have begun to fill a run each, because the store created the first one late."""
    trial = study.trials[0]
    new, client = sqlite_record.new_trial_run(study, trial), create_client(sqlite_record.uri)
    first, second = (client.create_run(new.experiment_id, START, new.tags, new.name).info.run_id for _ in range(2))
    sqlite_record.publish_history(first, make_history(trial, epochs=0, outcome=TrialStatus.RUNNING))
    sqlite_record.mark_interrupted(first, "Ctrl-C")
    sqlite_record.publish_history(second, make_history(trial))
    sqlite_record.refresh_runs()
    sqlite_record.remove_duplicate_runs()
    assert [run.info.run_id for run in sqlite_record.list_runs("trial")] == [second]
    assert client.get_run(first).info.lifecycle_stage == "deleted"


def test_remove_duplicate_runs_keeps_means_that_were_just_written_in_place_of_others(sqlite_record, study):
    """A run of the driver replaces the means of fewer seeds, and removes duplicates with what it has cached."""
    variant = study.variants[0]
    histories = [h for h in publish_all(sqlite_record, study) if h.trial.variant.name == variant.name]
    sqlite_record.refresh_runs()
    for number in (1, 2):
        sqlite_record.write_seed_means(study, variant, histories[:number])
    for _ in range(2):
        sqlite_record.remove_duplicate_runs()
        runs = [run for run in sqlite_record.list_runs("variant") if run.data.tags["variant"] == variant.name]
        assert len(runs) == 1
        assert [row[1] for row in read_metric(sqlite_record, runs[0].info.run_id, "seeds/n")] == [2]
        assert len(sqlite_record.read_children(runs[0].info.run_id)) == 2
        sqlite_record.refresh_runs()


def test_remove_duplicate_runs_decides_on_what_the_store_holds_now(sqlite_record, study):
    """Another process fills a duplicate after this one has read the runs."""
    trial = study.trials[0]
    new, client = sqlite_record.new_trial_run(study, trial), create_client(sqlite_record.uri)
    first, second = (client.create_run(new.experiment_id, START, new.tags, new.name).info.run_id for _ in range(2))
    sqlite_record.refresh_runs()
    assert len(sqlite_record.list_runs("trial")) == 2
    sqlite_record.publish_history(first, make_history(trial))
    sqlite_record.remove_duplicate_runs()
    assert [run.info.run_id for run in sqlite_record.list_runs("trial")] == [first]
    assert client.get_run(second).info.lifecycle_stage == "deleted"


def test_remove_duplicate_runs_keeps_what_was_written(sqlite_record, study):
    """A server creates a run for a request that the client gave up: the run stays empty."""
    histories = publish_all(sqlite_record, study)
    client = create_client(sqlite_record.uri)
    experiment = sqlite_record.experiment_id
    kept = {kind: {run.info.run_id for run in sqlite_record.list_runs(kind)} for kind in ("trial", "variant", "report")}
    orphan = {}
    for kind in kept:
        run = sqlite_record.list_runs(kind)[0]
        tags = {k: v for k, v in run.data.tags.items() if k not in ("outcome", "ended", "mlflow.note.content")}
        orphan[kind] = client.create_run(experiment, run.info.start_time - 1, tags, run.info.run_name).info.run_id
    child = sqlite_record.read_trials()[histories[0].id].run_id
    client.set_tag(child, "mlflow.parentRunId", orphan["variant"])
    sqlite_record.refresh_runs()
    sqlite_record.remove_duplicate_runs()
    assert {k: {run.info.run_id for run in sqlite_record.list_runs(k)} for k in kept} == kept
    parent = sqlite_record.client.get_run(child).data.tags["mlflow.parentRunId"]
    assert parent in kept["variant"]
    sqlite_record.remove_duplicate_runs()


@pytest.mark.slow
def test_artifact_whose_download_fails_for_a_moment_is_read_again(server, study, tmp_path, monkeypatch):
    """MLflow calls an artifact missing where its server answered with an error."""
    monkeypatch.setattr("harness.tracking.mlflow_record.store.patience.RETRY_SECONDS", 0)
    record = MlflowRecord(server.uri, study.experiment.name, home=tmp_path, patience=Patience(30))
    record.prepare_runs(study)
    from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

    original, left = HttpArtifactRepository._download_file, [2]

    def download(*arguments):
        if left[0]:
            left[0] -= 1
            raise ConnectionResetError("reset")
        return original(*arguments)

    monkeypatch.setattr(HttpArtifactRepository, "_download_file", download)
    assert record.read_experiment().to_record_json() == study.to_record_json()
    assert left == [0]


def test_sync_of_a_trial_without_a_run_shows_when_it_was_trained(sqlite_record, study, tmp_path):
    """The store was away while the trial was trained, so nothing but its checkpoint knows of it."""
    trial, storage = study.trials[0], Folder.from_location(tmp_path / "trials")
    history = with_start(make_history(trial), START - 700)
    write_checkpoint(storage / trial.id, Checkpoint(1, 2, 0), history.model_dump_json().encode(), {})
    assert list(sync_record(study, sqlite_record, storage)) == [trial.label]
    assert sync_record(study, sqlite_record, storage) == {}
    (run,) = sqlite_record.list_runs("trial")
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FINISHED", START - 700, START + 2000)
