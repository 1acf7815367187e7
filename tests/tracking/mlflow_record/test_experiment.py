"""One experiment in a store of each kind: found, listed, refused."""

import re
import shlex
import subprocess

import pytest
from tracking.helpers import PASSWORD, make_history

from harness.errors import HarnessError
from harness.tracking.mlflow_record.experiment import list_experiments
from harness.tracking.mlflow_record.writer import MlflowRecord


def test_record_of_a_deleted_experiment_raises(record):
    record.client.delete_experiment(record.experiment_id)
    with pytest.raises(HarnessError, match="was deleted"):
        MlflowRecord(record.uri, record.name)


def test_command_that_restores_a_deleted_experiment_works_as_printed_in_any_directory(
    tmp_path, monkeypatch, study, empty_sqlite_store
):
    """The path has a space, and the working directory is not the store's: the command names the store itself."""
    from click.testing import CliRunner
    from mlflow.cli import cli

    folder = tmp_path / "my store"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(empty_sqlite_store)
    record = MlflowRecord(f"sqlite:///{folder}/mlflow.db", study.experiment.name, home=folder)
    record.create_experiment(study)
    record.client.delete_experiment(record.experiment_id)
    with pytest.raises(HarnessError) as caught:
        MlflowRecord(record.uri, record.name)
    variable, program, *arguments = shlex.split(re.search("`(.*)`", caught.value.remedy)[1])
    assert program == "mlflow"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    done = CliRunner().invoke(cli, arguments, env=dict([variable.split("=", 1)]), catch_exceptions=False)
    assert done.exit_code == 0 and "restored" in done.output
    assert MlflowRecord(record.uri, record.name).experiment_id == record.experiment_id
    assert list(elsewhere.iterdir()) == []


def test_record_of_an_experiment_that_never_ran_suggests_a_similar_name(record):
    with pytest.raises(HarnessError, match=f"Did you mean '{record.name}'"):
        MlflowRecord(record.uri, record.name + "k").read_experiment()


def test_record_of_a_newer_format_raises_and_changes_nothing(sqlite_record, tmp_path):
    sqlite_record.client.set_experiment_tag(sqlite_record.experiment_id, "depthbench.format", "99")
    before = (tmp_path / "mlflow.db").read_bytes()
    with pytest.raises(HarnessError, match="Upgrade depthbench"):
        MlflowRecord(sqlite_record.uri, sqlite_record.name)
    assert (tmp_path / "mlflow.db").read_bytes() == before


def test_list_experiments_reads_every_page(record, study, monkeypatch):
    monkeypatch.setattr("harness.tracking.mlflow_record.experiment.EXPERIMENTS_PER_PAGE", 2)
    others = {f"other-{study.experiment.name}-{number}" for number in range(3)}
    for name in others:
        record.client.create_experiment(name)
    assert {study.experiment.name, *others} <= {experiment.name for experiment in list_experiments(record.client)}


def test_new_experiment_opens_the_ui_s_pages_for_training_runs(record):
    experiment = record.client.get_experiment(record.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_refresh_runs_of_one_variant_reads_only_its_trials(record, study):
    """The driver does so when the last trial of a variant ends: to read all of a large record takes long."""
    reader = MlflowRecord(record.uri, record.name)
    for trial in study.trials:
        record.create_trial_run(study, trial)
    assert len(reader.list_runs("trial")) == len(reader.read_trials()) == 4
    for history, run in zip(map(make_history, study.trials), record.list_runs("trial"), strict=True):
        record.publish_history(run.info.run_id, history)
    first, second = (variant.name for variant in study.variants)
    reader.refresh_runs(first)
    is_recorded = {trial.variant.name: reader.read_trials()[trial.id].is_recorded for trial in study.trials}
    assert is_recorded == {first: True, second: False}
    reader.refresh_runs()
    assert all(trial.is_recorded for trial in reader.read_trials().values())


@pytest.mark.slow
def test_record_whose_database_was_dropped_raises_without_the_password(postgresql, study, tmp_path, capfd):
    record = MlflowRecord(postgresql.uri("gone"), study.experiment.name, home=tmp_path)
    record.prepare_runs(study)
    subprocess.run([*postgresql.drop, "gone"], env=postgresql.env, check=True)
    with pytest.raises(HarnessError, match="does not answer") as caught:
        record.create_trial_run(study, study.trials[0])
    printed = "".join(capfd.readouterr())
    assert PASSWORD not in str(caught.value) + printed
    assert "Traceback" not in printed
