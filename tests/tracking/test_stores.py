"""One contract for every kind of store: SQLite, an MLflow server, PostgreSQL, and a server with basic auth."""

import io
import sqlite3
import subprocess
import sys

import pytest
from rich.console import Console
from tracking.stores import PASSWORD, SMALL

from harness.errors import HarnessError
from harness.execution.runner import TrialGroup, run_group
from harness.io.checkpoint_names import list_checkpoints
from harness.io.storage import Folder
from harness.settings import Settings
from harness.specs import Execution, Resources
from harness.tracking.history import Epoch, History
from harness.tracking.mlflow_record.descriptions import VariantDescription
from harness.tracking.mlflow_record.experiment import list_experiments
from harness.tracking.mlflow_record.publishing.background_publisher import BackgroundPublisher
from harness.tracking.mlflow_record.store.client import create_sqlite_store
from harness.tracking.mlflow_record.tags import MODEL_TAG, NOTE_TAG
from harness.tracking.mlflow_record.ui import serve_ui
from harness.tracking.mlflow_record.writer import MlflowRecord
from harness.tracking.record import open_record
from harness.training.checkpoint import load_state

SERVERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("server", "postgresql", "basic auth")]
AT = 1_760_000_000_000


def _history(trial, epochs=2, offset=0.0, outcome="finished"):
    rows = tuple(
        Epoch(
            epoch=n,
            at=AT + 1000 * n,
            metrics={
                "train/error": 50 / n + offset,
                "train/error_clean": 1 / 3 / n + offset,
                "test/error": 9.0 + offset,
                "grad/first": None,
                "time/train_s": 1.5,
            },
        )
        for n in range(1, epochs + 1)
    )
    costs = {"cost/params": 10, "cost/macs": 2**40 + 1, "counter": "fvcore"}
    return History(id=trial.id, trial=trial, outcome=outcome, costs=costs, provenance={"threads": 1}, epochs=rows)


@pytest.fixture(params=["sqlite", *SERVERS])
def uri(request, tmp_path, tables, environment):
    """The address of a store of each kind, the credentials for it given."""
    if request.param == "sqlite":
        (tmp_path / "mlflow.db").write_bytes(tables)
        return f"sqlite:///{tmp_path}/mlflow.db"
    if request.param == "postgresql":
        return request.getfixturevalue("database")
    if request.param == "server":
        return request.getfixturevalue("server").uri
    environment()
    return request.getfixturevalue("auth_server").uri


@pytest.fixture
def store(uri, study, tmp_path):
    store = MlflowRecord(uri, study.experiment.name, home=tmp_path / "home")
    store.prepare_runs(study)
    return store


def _publish_all(store, study):
    first = min(study.experiment.seeds)
    histories = [_history(trial, offset=trial.seed - first) for trial in study.trials]
    for history in histories:
        store.publish_history(store.create_trial_run(study, history.trial), history)
    store.refresh_runs()
    return histories


def _metrics(store, run_id, key):
    return [(row.step, row.value, row.timestamp) for row in store.client.get_metric_history(run_id, key)]


def test_histories_and_the_study_come_back_exactly(store, study):
    histories = _publish_all(store, study)
    ids = [trial.id for trial in study.trials]
    fresh = MlflowRecord(store.uri, store.name)
    assert fresh.read_experiment().to_record_json() == study.to_record_json()
    assert fresh.read_histories(ids) == histories
    assert all(run.is_recorded and run.seconds == 1.5 for run in fresh.read_trials().values())
    run_id = fresh.read_trials()[ids[0]].run_id
    assert _metrics(fresh, run_id, "train/error_clean") == [(1, 1 / 3, AT + 1000), (2, 1 / 6, AT + 2000)]
    assert _metrics(fresh, run_id, "cost/macs") == [(0, 2**40 + 1, AT + 1000)]
    assert all(value != value for _, value, _ in _metrics(fresh, run_id, "grad/first"))


def test_an_experiment_whose_first_run_could_not_keep_its_study_is_new(uri, study, tmp_path, monkeypatch):
    store = MlflowRecord(uri, study.experiment.name, home=tmp_path / "home")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(HarnessError):
        patched.setattr(store.client, "log_text", full)
        store.prepare_runs(study)
    fresh = MlflowRecord(uri, study.experiment.name, home=tmp_path / "home")
    assert fresh.list_runs("report") and fresh.is_new
    fresh.prepare_runs(study)
    assert not fresh.is_new and fresh.read_experiment().to_record_json() == study.to_record_json()


def test_a_store_that_was_moved_with_its_artifacts_is_read(study, tmp_path, tables):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "mlflow.db").write_bytes(tables)
    store = MlflowRecord(f"sqlite:///{tmp_path}/old/mlflow.db", study.experiment.name)
    store.prepare_runs(study)
    histories = _publish_all(store, study)
    (tmp_path / "old").rename(tmp_path / "new")
    moved = MlflowRecord(f"sqlite:///{tmp_path}/new/mlflow.db", study.experiment.name)
    assert moved.read_experiment().to_record_json() == study.to_record_json()
    assert moved.read_histories([trial.id for trial in study.trials]) == histories


def test_all_experiments_of_a_store_are_found_however_many_it_answers_at_once(store, study, monkeypatch):
    monkeypatch.setattr("harness.tracking.mlflow_record.reader.PAGE", 2)
    for number in range(3):
        store.client.create_experiment(f"other-{study.experiment.name}-{number}")
    names = {experiment.name for experiment in list_experiments(store.client)}
    assert {study.experiment.name, *(f"other-{study.experiment.name}-{number}" for number in range(3))} <= names


def test_a_store_that_another_process_made_meanwhile_stays(tmp_path, tables):
    file = tmp_path / "mlflow.db"
    file.write_bytes(tables)
    before = file.stat().st_ino
    create_sqlite_store(file)
    assert file.stat().st_ino == before and sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db"]


def test_publishing_twice_stores_once(store, study):
    history = _history(study.trials[0])
    run_id = store.create_trial_run(study, study.trials[0])
    store.publish_history(run_id, history)
    store.publish_history(run_id, history)
    assert _metrics(store, run_id, "train/error") == [(1, 50.0, AT + 1000), (2, 25.0, AT + 2000)]
    assert [step for step, _, _ in _metrics(store, run_id, "grad/first")] == [1, 2]
    assert len(store.client.get_run(run_id).inputs.dataset_inputs) == 1


def test_a_run_per_variant_with_its_trials_under_it(store, study):
    histories = _publish_all(store, study)
    for variant in study.variants:
        store.write_seed_means(study, variant, [h for h in histories if h.trial.variant.name == variant.name])
    store.refresh_runs()
    variants = {run.info.run_id: run for run in store.list_runs("variant")}
    assert {run.data.tags["variant"] for run in variants.values()} == {v.name for v in study.variants}
    assert len(store.list_runs("trial")) == 4
    for run in store.list_runs("trial"):
        parent = variants[run.data.tags["mlflow.parentRunId"]]
        assert parent.data.tags["variant"] == run.data.tags["variant"]
        assert run.data.params["variant.widths"] == "2-4-8"
        assert run.inputs.dataset_inputs[0].dataset.name == "digits"
    for run in variants.values():
        assert run.data.params["variant.widths"] == "2-4-8"
        assert run.inputs.dataset_inputs[0].dataset.digest == study.data.fingerprint
        assert [row[:2] for row in _metrics(store, run.info.run_id, "train/error")] == [(1, 50.5), (2, 25.5)]
        assert run.data.metrics["seeds/n"] == 2
        assert run.info.status == "FINISHED"


def test_the_runs_of_one_variant_are_read_anew_alone(store, study):
    """As a driver does when a variant's last trial ends: its workers wrote, and a whole large record takes long."""
    store.prepare_runs(study)
    reader = MlflowRecord(store.uri, store.name)
    for trial in study.trials:
        store.create_trial_run(study, trial)
    assert len(reader.list_runs("trial")) == len(reader.read_trials()) == 4
    for history, run in zip(map(_history, study.trials), store.list_runs("trial"), strict=True):
        store.publish_history(run.info.run_id, history)
    first, second = (v.name for v in study.variants)
    reader.refresh_runs(first)
    ended = {t.variant.name: reader.read_trials()[t.id].is_recorded for t in study.trials}
    assert ended == {first: True, second: False}
    reader.refresh_runs()
    assert all(run.is_recorded for run in reader.read_trials().values())


def test_runs_are_described(store, study, tmp_path):
    """What a report says of a variant replaces what stood there; said twice it stands there once."""
    histories = _publish_all(store, study)
    first, second = study.variants
    for variant in study.variants:
        store.write_seed_means(study, variant, [h for h in histories if h.trial.variant.name == variant.name])
    directory = tmp_path / "reports"
    directory.mkdir()
    (directory / "README.md").write_text("a report")
    said = {first.name: VariantDescription("**It** is so.", {"seeds/low_test_error": 8.5, "bench/latency_s": 1 / 3})}
    for _ in range(2):
        store.refresh_runs()
        store.attach_report(directory, "**Undecided.**")
        store.describe_variants(study, said)
    store.refresh_runs()
    runs = {run.data.tags["variant"]: run for run in store.list_runs("variant")}
    assert runs[first.name].data.tags[NOTE_TAG] == "**It** is so."
    assert [row[:2] for row in _metrics(store, runs[first.name].info.run_id, "bench/latency_s")] == [(0, 1 / 3)]
    assert runs[second.name].data.tags[NOTE_TAG].startswith(f"**{second.name}**: residual network (identity shortcuts)")
    store.describe_variants(study, {first.name: VariantDescription("again", {"bench/latency_s": 0.25})})
    assert store.client.get_run(runs[first.name].info.run_id).data.metrics["bench/latency_s"] == 0.25
    trial = store.list_runs("trial")[0]
    note = trial.data.tags[NOTE_TAG]
    assert "Error after 2 epochs: 9.00 % in testing, 0.17 % clean in training, 25.00 % online in training." in note
    assert f"seed {trial.data.tags['seed']}; trial `{trial.data.tags['trial']}`" in note
    (report,) = store.list_runs("report")
    assert report.data.tags[NOTE_TAG].startswith("**Undecided.**\n\nThe report is `README.md`")
    assert store.client.get_experiment(store.experiment_id).tags[NOTE_TAG] == "**Undecided.**"


def test_a_trained_network_is_kept_as_a_model(store, study, tmp_path, monkeypatch):
    import torch

    trial = study.trials[0]
    run_id = store.create_trial_run(study, trial)
    folder, execution = Folder.from_location(tmp_path / trial.id), Execution(log_model=True)
    job = TrialGroup(trial, execution, Resources(), folder, store.uri, run_id, "x", False, study.data.size, "")
    (*_, last) = run_group(job)
    assert (last.outcome, last.message) == ("finished", "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    from mlflow.pytorch import load_model

    address = store.client.get_run(run_id).data.tags[MODEL_TAG]
    with folder.open(list_checkpoints(folder)[0].name) as file:
        trained = load_state(file, "x", torch.device("cpu"))["network"]
    network = load_model(address)
    assert {name: value.tolist() for name, value in network.state_dict().items()} == {
        name: value.tolist() for name, value in trained.items()
    }
    assert not network.training
    # The run's name leads there as well, and its last errors stand beside it.
    by_name = load_model(f"runs:/{run_id}/{trial.label}")
    assert torch.equal(by_name(torch.ones(2, 1, 8, 8)), network(torch.ones(2, 1, 8, 8)))
    model = store.client.get_logged_model(address.removeprefix("models:/"))
    assert {m.key: m.value for m in model.metrics}["test/error"] == last.test_error


def test_added_seeds_get_a_fresh_variant_run(store, study):
    histories = _publish_all(store, study)
    variant = study.variants[0]
    mine = [h for h in histories if h.trial.variant.name == variant.name]
    for some in (mine[:1], mine):
        store.write_seed_means(study, variant, some)
        store.refresh_runs()
    (run,) = [run for run in store.list_runs("variant") if run.data.tags["variant"] == variant.name]
    assert [row[1] for row in _metrics(store, run.info.run_id, "train/error")] == [50.5, 25.5]
    children = [r for r in store.list_runs("trial") if r.data.tags["variant"] == variant.name]
    assert {r.data.tags["mlflow.parentRunId"] for r in children} == {run.info.run_id}


def test_superseded_trials_leave_the_record_and_stay_in_mlflow(store, study):
    _publish_all(store, study)
    store.supersede_trials([study.trials[0].id], "a test")
    assert study.trials[0].id not in store.read_trials()
    assert len(store.list_runs("trial")) == 4


def test_a_failed_trial_keeps_its_traceback(store, study):
    run_id = store.create_trial_run(study, study.trials[0])
    store.mark_failed(run_id, "ValueError: no", "Traceback ...")
    run = store.client.get_run(run_id)
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "ValueError: no")
    assert store._artifact(run_id, "traceback.txt") == b"Traceback ..."
    store.refresh_runs()
    assert not store.read_trials()[study.trials[0].id].is_recorded


def test_a_trial_of_another_experiment_is_found(store, study, quick_study, tmp_path):
    histories = _publish_all(store, study)
    other = quick_study(name=f"{study.experiment.name}-other", seeds=list(study.experiment.seeds), **SMALL)
    second = MlflowRecord(store.uri, other.experiment.name, home=tmp_path / "home")
    second.prepare_runs(other)
    found = second.find_in_other_experiments([trial.id for trial in other.trials])
    assert {identity: read() for identity, read in found.items()} == {h.id: h for h in histories}


def test_the_outbox_publishes_and_ends_the_run(store, study):
    trial = study.trials[0]
    outbox = BackgroundPublisher(store.uri, store.create_trial_run(study, trial))
    outbox.publish(_history(trial, epochs=1, outcome="running"))
    outbox.publish(_history(trial))
    assert outbox.close(60), outbox.last_error
    store.refresh_runs()
    assert store.read_histories([trial.id]) == [_history(trial)]


def test_artifacts_lie_outside_the_working_directory(store, study, tmp_path, monkeypatch):
    """Workers write, and reports read, in directories of their own."""
    places = [tmp_path / name for name in ("writing", "reading")]
    for place in places:
        place.mkdir()
    monkeypatch.chdir(places[0])
    history = _history(study.trials[0])
    store.publish_history(store.create_trial_run(study, history.trial), history)
    monkeypatch.chdir(places[1])
    assert MlflowRecord(store.uri, store.name).read_histories([history.id]) == [history]
    assert [list(place.iterdir()) for place in places] == [[], []]


def test_the_ui_is_for_training_runs_of_an_experiment(store, tmp_path):
    found = store.client.get_experiment(store.experiment_id)
    assert found.tags["mlflow.experimentKind"] == "custom_model_development"
    with pytest.raises(HarnessError, match=f"Did you mean '{store.name}'"):
        serve_ui(store.uri, tmp_path, store.name + "k", 5000, Console())
    if store.uri.startswith("http"):
        screen = io.StringIO()
        assert serve_ui(store.uri, tmp_path, store.name, 5000, Console(file=screen, width=300)) == 0
        page = f"{store.uri}/#/experiments/{store.experiment_id}/runs?compareRunsMode=CHART&workflowType=machine_lear"
        assert page in screen.getvalue()


def test_an_experiment_that_never_ran(store):
    with pytest.raises(HarnessError, match=f"Did you mean '{store.name}'"):
        MlflowRecord(store.uri, store.name + "k").read_experiment()


def test_a_deleted_experiment_is_named(store):
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(HarnessError, match="was deleted"):
        MlflowRecord(store.uri, store.name)


# --- schemas ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def dated(tmp_path, tables):
    """A SQLite store that claims a schema; returns its file."""

    def make(version):
        file = tmp_path / "home" / "mlflow.db"
        file.parent.mkdir()
        file.write_bytes(tables)
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", [version])
        connection.close()
        return file

    return make


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("ffffffffffff", ["unknown to MLflow", "a newer MLflow", "pip install --upgrade mlflow"]),
        ("451aebb31d03", ["an older MLflow", "mlflow db upgrade sqlite:///"]),
    ],
)
@pytest.mark.parametrize("create", [True, False])
def test_another_schema_is_refused_and_left_as_it_is(dated, version, words, create):
    file = dated(version)
    before = file.read_bytes()
    with pytest.raises(HarnessError) as caught:
        open_record(Settings(file.parent), "x", create)
    for word in [*words, version, str(file)]:
        assert word in str(caught.value)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_an_older_schema_is_not_migrated_even_where_tables_are_missing(dated):
    """MLflow by itself makes the missing tables, and brings all others up to date with them."""
    file = dated("451aebb31d03")
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TABLE trace_tags")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(HarnessError, match="an older MLflow"):
        open_record(Settings(file.parent), "x")
    assert file.read_bytes() == before


def test_the_command_line_refuses_a_newer_schema(harness, experiment_file, dated):
    home = dated("ffffffffffff").parent
    done = harness("run", experiment_file(), "--launcher", "inline", "--home", home)
    assert done.returncode == 2
    assert "a newer MLflow" in done.stderr and "Traceback" not in done.stderr


def test_tables_that_were_never_finished_are_no_store(tmp_path):
    """Such as a first run leaves that was stopped while it made them."""
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY)")
    connection.close()
    assert open_record(Settings(tmp_path), "x", create=False).read_trials() == {}
    # MLflow itself could not finish them: "table already exists", at every start.
    assert open_record(Settings(tmp_path), "x").read_trials() == {}
    assert (tmp_path / "mlflow.db.unfinished").exists()
    assert not list(tmp_path.glob(".making-*"))
    (tmp_path / "mlflow.db").write_bytes(b"no database at all, whatever its name says")
    with pytest.raises(HarnessError, match="not a database"):
        open_record(Settings(tmp_path), "x")


# --- addresses and drivers -------------------------------------------------------------------------------------------


def test_a_missing_driver_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(HarnessError, match=r"psycopg\[binary\]"):
        open_record(Settings(tmp_path, "postgresql://user:secret@127.0.0.1:9/x"), "x")
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(HarnessError, match="driver pymysql is not installed"):
        open_record(Settings(tmp_path, "mysql+pymysql://user:secret@127.0.0.1:9/x"), "x")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://user:secret@127.0.0.1:9/x",
        "postgresql://user:sec ret/secret?x@127.0.0.1:9/x",
        "postgresql://127.0.0.1:9/x?user=u&password=secret",
        "postgresql+nothing://user:secret@127.0.0.1:9/x",
        "postgresql://user:secret@127.0.0.1:port/x",
        "http://user:secret@127.0.0.1:9",
        "http://user:sec/secret@127.0.0.1:9",
        "ftp://user:secret@127.0.0.1:9",
        "user:secret@127.0.0.1:9/x",
    ],
)
def test_addresses_are_refused_without_their_password(tmp_path, address, capfd):
    for create in (True, False):
        with pytest.raises(HarnessError) as caught:
            open_record(Settings(tmp_path, address), "x", create)
        assert address.startswith(("postgresql", "http")) == ("***" in str(caught.value))
        assert "sec" not in str(caught.value)
    assert "sec" not in "".join(capfd.readouterr())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_reading_makes_no_tables_and_a_password_may_come_from_the_environment(postgresql, tmp_path, monkeypatch):
    """In a database as PostgreSQL makes it under the locale C, of whose text psycopg gives bytes."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    uri = postgresql.uri("empty", "SQL_ASCII").replace(f":{PASSWORD}", "")
    assert open_record(Settings(tmp_path, uri), "x", create=False).read_trials() == {}
    dump = subprocess.run([*postgresql.dump, "empty"], env=postgresql.env, capture_output=True, text=True, check=True)
    assert "CREATE TABLE" not in dump.stdout
    record = open_record(Settings(tmp_path, uri), "x")
    assert record.is_new
    assert PASSWORD not in record.address


@pytest.mark.slow
def test_a_database_that_goes_away_is_said_to(postgresql, study, tmp_path, capfd):
    store = MlflowRecord(postgresql.uri("gone"), study.experiment.name, home=tmp_path)
    store.prepare_runs(study)
    subprocess.run([*postgresql.drop, "gone"], env=postgresql.env, check=True)
    with pytest.raises(HarnessError, match="does not answer") as caught:
        store.create_trial_run(study, study.trials[0])
    printed = "".join(capfd.readouterr())
    assert PASSWORD not in str(caught.value) + printed
    assert "Traceback" not in printed
