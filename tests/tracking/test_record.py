"""The record: histories into MLflow and back, for a real SQLite store, without training anything."""

import json
import threading
import time

import pytest

from harness.errors import HarnessError
from harness.io.archives import pack_archive
from harness.io.checkpoint_names import Checkpoint
from harness.io.storage import Folder
from harness.settings import Settings
from harness.specs.network.layer_profile import LayerProfile
from harness.tracking.checkpoint_record import CheckpointRecord
from harness.tracking.history import HISTORY_FILE, Epoch, History, parse_history, read_newest_history
from harness.tracking.metrics import METRICS
from harness.tracking.mlflow_record.publishing.background_publisher import BackgroundPublisher
from harness.tracking.mlflow_record.publishing.entities import flatten_params
from harness.tracking.mlflow_record.seed_means import compute_seed_means
from harness.tracking.mlflow_record.store.addresses import choose_tracking_uri, redact_passwords
from harness.tracking.mlflow_record.store.client import open_store
from harness.tracking.mlflow_record.writer import MlflowRecord
from harness.tracking.record import open_record
from harness.tracking.results_csv import COLUMNS, read_csv, write_csv
from harness.tracking.results_table import build_results_table

COSTS = {"cost/params": 10, "cost/macs": 20, "cost/flops": 40, "cost/activations": 30, "counter": "fvcore"}
LAYERS = {2: LayerProfile(layers=3, normalised=True, gradient=(0.1234, None, 1e-30), response=(1.0, 2.5, 0.0))}
PROVENANCE = {
    "device": "a CPU",
    "precision": "fp32",
    "memory_format": "contiguous",
    "threads": 1,
    "shared": True,
    "software": "torch 2",
    "revision": "abc",
}


def _history(trial, epochs=2, offset=0.0, outcome="finished"):
    rows = tuple(
        Epoch(
            epoch=n,
            at=1_760_000_000_000 + 1000 * n,
            metrics={
                "train/error": 50 / n + offset,
                "train/error_clean": 1 / 3 / n + offset,
                "test/error": 9.0 + offset,
                "test/accuracy": 91.0 - offset,
                "time/train_s": 1.5,
            },
        )
        for n in range(1, epochs + 1)
    )
    return History(
        id=trial.id, trial=trial, outcome=outcome, costs=COSTS, provenance=PROVENANCE, epochs=rows, layers=LAYERS
    )


@pytest.fixture
def study(quick_study):
    return quick_study()


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """Making the tables of a SQLite store takes seconds: once, then copied."""
    home = tmp_path_factory.mktemp("empty")
    open_store(f"sqlite:///{home}/mlflow.db")
    return (home / "mlflow.db").read_bytes()


@pytest.fixture
def store(study, tmp_path, empty_store):
    (tmp_path / "mlflow.db").write_bytes(empty_store)
    store = MlflowRecord(f"sqlite:///{tmp_path}/mlflow.db", study.experiment.name)
    store.prepare_runs(study)
    return store


def _publish_all(store, study):
    histories = [_history(trial, offset=trial.seed - 100) for trial in study.trials]
    for history in histories:
        store.publish_history(store.create_trial_run(study, history.trial), history)
    store.refresh_runs()
    return histories


def test_an_outbox_without_a_store_gives_up_in_time_and_says_why(study):
    outbox = BackgroundPublisher("http://127.0.0.1:9", "0" * 32)
    outbox.publish(_history(study.trials[0]))
    assert not outbox.close(8)
    assert outbox.last_error
    assert threading.active_count() < 50


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("http://127.0.0.1:9", "cannot be reached"),
        ("ftp://x", "not a kind of tracking store"),
        ("sqlite:////proc/nowhere/x.db", "not"),
    ],
)
def test_stores_that_do_not_answer(tmp_path, uri, says):
    with pytest.raises(HarnessError, match=says):
        open_record(Settings(tmp_path, uri), "x")


def test_reading_creates_no_store(tmp_path):
    record = open_record(Settings(tmp_path / "home"), "x", create=False)
    assert record.read_trials() == {}
    assert record.find_in_other_experiments(["a"]) == {}
    assert not (tmp_path / "home").exists()


def test_passwords_are_not_shown():
    assert redact_passwords("https://user:secret@host:5000/x") == "https://***@host:5000/x"
    assert "secret" not in redact_passwords("postgresql://u:secret@h/db")


def test_journals_are_a_record_too(study, tmp_path):
    storage = Folder.from_location(tmp_path / "trials")
    record = CheckpointRecord(tmp_path, study.experiment.name, storage)
    record.prepare_runs(study)
    histories = [_history(trial) for trial in study.trials]
    for history in histories:
        content = pack_archive({HISTORY_FILE: history.model_dump_json().encode()})
        (storage / history.id).write(Checkpoint(1, 2).name, content)
    assert (
        CheckpointRecord(tmp_path, study.experiment.name, storage).read_experiment().to_record_json()
        == study.to_record_json()
    )
    assert record.read_histories([t.id for t in study.trials]) == histories
    assert len(record.read_trials()) == 8


def test_a_damaged_newest_journal_falls_back_and_says_so(study, tmp_path):
    folder = Folder.from_location(tmp_path)
    for epoch in (1, 2):
        history = _history(study.trials[0], epochs=epoch, outcome="running")
        folder.write(Checkpoint(1, epoch).name, pack_archive({HISTORY_FILE: history.model_dump_json().encode()}))
    newest = tmp_path / Checkpoint(1, 2).name
    newest.write_bytes(newest.read_bytes()[:50])
    with pytest.warns(UserWarning, match="damaged checkpoint is left out"):
        history = read_newest_history(folder, study.trials[0].id)
    assert history.last_epoch == 1


def test_a_newer_format_is_refused(study):
    content = json.loads(_history(study.trials[0]).model_dump_json()) | {"format": 99}
    with pytest.raises(HarnessError, match="Upgrade"):
        parse_history(json.dumps(content), "x")


def test_the_format_before_is_read(study):
    """It had no values by layer."""
    content = json.loads(_history(study.trials[0]).model_dump_json(exclude={"layers"})) | {"format": 1}
    assert parse_history(json.dumps(content), "x") == _history(study.trials[0]).model_copy(
        update={"layers": {}, "format": 1}
    )


def test_values_by_layer_are_an_artifact_and_no_metrics(store, study):
    (history, *_) = _publish_all(store, study)
    run_id = store.read_trials()[history.id].run_id
    assert json.loads(store._artifact(run_id, "layers.json")) == {"2": LAYERS[2].model_dump(mode="json")}
    assert not [key for key in store.client.get_run(run_id).data.metrics if key not in METRICS]
    assert store.read_histories([history.id]) == [history]


def test_the_table_and_results_csv_are_one(study, tmp_path):
    histories = [_history(trial, offset=trial.seed - 100) for trial in reversed(study.trials)]
    results = build_results_table(study, histories)
    write_csv(results, tmp_path / "results.csv")
    back = read_csv(tmp_path / "results.csv")
    assert back.study.to_record_json() == study.to_record_json()
    assert back.epochs.equals(results.epochs)
    write_csv(back, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "results.csv").read_bytes()
    assert [*results.epochs.columns, "study"] == COLUMNS
    assert results.missing == []


def test_unfinished_trials_are_missing_and_diverged_ones_score_chance(study):
    first, second, *rest = study.trials
    histories = [_history(first, epochs=1, outcome="running"), _history(second, epochs=1, outcome="diverged")]
    results = build_results_table(study, [*histories, *map(_history, rest)])
    assert results.missing == [(first.variant.name, first.seed)]
    diverged = results.final.set_index("trial").loc[second.id]
    assert (diverged["train/error"], diverged["test/error"], diverged["test/accuracy"]) == (90, 90, 10)


@pytest.mark.parametrize(
    "damage",
    [lambda t: t.replace("train/error_clean", "x", 1), lambda t: t.partition("\n")[0] + "\n", lambda t: "a,b\n1,2\n"],
)
def test_damaged_results_are_refused(study, tmp_path, damage):
    write_csv(build_results_table(study, map(_history, study.trials)), tmp_path / "results.csv")
    (tmp_path / "results.csv").write_text(damage((tmp_path / "results.csv").read_text()))
    with pytest.raises(HarnessError):
        read_csv(tmp_path / "results.csv")


def test_means_count_an_epoch_only_where_all_seeds_have_it(study):
    long, short = _history(study.trials[0], epochs=3), _history(study.trials[1], epochs=1, outcome="diverged")
    rows = list(compute_seed_means([long, short]))
    assert {step for key, _, _, step in rows if key == "train/error"} == {1}
    assert ("seeds/diverged", 1.0) in {(key, value) for key, value, _, _ in rows}


def test_metric_names_are_one_table(study):
    assert set(_history(study.trials[0]).epochs[0].metrics) <= set(METRICS)
    assert flatten_params(study.trials[0])["data.name"] == "digits"
    assert "data.root" not in flatten_params(study.trials[0])


def test_sqlite_paths_are_absolute_and_plain(tmp_path, monkeypatch):
    """Workers run in other directories; SQLAlchemy takes ? and % for its own."""
    monkeypatch.chdir(tmp_path)
    assert choose_tracking_uri("sqlite:///rel.db", tmp_path) == f"sqlite:///{tmp_path}/rel.db"
    with pytest.raises(HarnessError, match=r"\? or %"):
        choose_tracking_uri(None, tmp_path / "q%20")


def test_means_follow_forced_trials(store, study):
    """The same trial ids with other histories: the variant's run is replaced."""
    histories = _publish_all(store, study)
    variant = study.variants[0]
    mine = [h for h in histories if h.trial.variant.name == variant.name]
    store.write_seed_means(study, variant, mine)
    store.refresh_runs()
    store.write_seed_means(study, variant, [_history(h.trial, offset=20) for h in mine])
    store.refresh_runs()
    (run,) = [run for run in store.list_runs("variant") if run.data.tags["variant"] == variant.name]
    assert run.data.metrics["train/error"] == 45


@pytest.mark.parametrize("address", ["http://127.0.0.1:abc", "http://user:secret@127.0.0.1:9"])
def test_odd_addresses_are_refused_without_a_traceback(tmp_path, address):
    with pytest.raises(HarnessError) as caught:
        open_record(Settings(tmp_path, address), "x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("begun", [0, 2], ids=["within the first epoch", "after it"])
def test_epochs_that_are_there_are_not_sent_again(store, study, begun):
    """An epoch trained again after a damaged checkpoint has another time: the first one stays alone."""
    first = _history(study.trials[0], epochs=2, outcome="running")
    # What is measured before the first update is of other kinds.
    before = Epoch(epoch=0, at=1_759_999_999_000, metrics={"grad/first": 3.0})
    first = first.model_copy(update={"epochs": (before, *first.epochs)})
    run_id = store.create_trial_run(study, study.trials[0])
    store.publish_history(run_id, first)
    again = first.model_copy(
        update={"epochs": tuple(epoch.model_copy(update={"at": epoch.at + 5}) for epoch in first.epochs)}
    )
    third = _history(study.trials[0], epochs=3).epochs[2]
    assert third.epoch == 3
    outbox = BackgroundPublisher(store.uri, run_id)
    # The checkpoint that was left is older than what was published from the damaged one.
    outbox.publish(again.model_copy(update={"epochs": again.epochs[:begun]}))
    for _ in range(100):
        if store.client.get_run(run_id).info.status == "RUNNING":
            break
        time.sleep(0.05)
    outbox.publish(again.model_copy(update={"epochs": (*again.epochs, third), "outcome": "finished"}))
    assert outbox.close(30)
    rows = store.client.get_metric_history(run_id, "train/error")
    assert [(row.step, row.timestamp) for row in rows] == [(e.epoch, e.at) for e in (*first.epochs[1:], third)]
    assert len(store.client.get_metric_history(run_id, "grad/first")) == 1


def test_publishing_what_is_left_says_nothing_about_why_a_trial_stopped(store, study):
    """Whether it runs, and why it does not, is the driver's to say; `harness sync` only adds what is missing."""
    trial = study.trials[0]
    run_id = store.create_trial_run(study, trial)
    store.mark_interrupted(run_id, "the time limit of 2:00:00")
    store.publish_history(run_id, _history(trial, epochs=1, outcome="running"))
    run = store.client.get_run(run_id)
    assert (run.info.status, run.data.tags["stopped"]) == ("KILLED", "the time limit of 2:00:00")


def test_a_run_that_is_put_aside_does_not_stay_running(store, study):
    trial = study.trials[0]
    run_id = store.create_trial_run(study, trial)
    store.supersede_trials([trial.id], "a test")
    assert store.client.get_run(run_id).info.status == "KILLED"


def test_an_older_attempt_does_not_reopen_a_finished_run(store, study):
    run_id = store.create_trial_run(study, study.trials[0])
    store.publish_history(run_id, _history(study.trials[0]))
    with pytest.raises(HarnessError, match="finished already"):
        store.publish_history(run_id, _history(study.trials[0], epochs=1, outcome="running"))
    assert store.client.get_run(run_id).info.status == "FINISHED"


def test_an_experiment_of_a_newer_version_is_refused_and_left_alone(store, tmp_path):
    store.client.set_experiment_tag(store.experiment_id, "depthbench.format", "99")
    before = (tmp_path / "mlflow.db").read_bytes()
    with pytest.raises(HarnessError, match="Upgrade depthbench"):
        MlflowRecord(store.uri, store.name)
    assert (tmp_path / "mlflow.db").read_bytes() == before
