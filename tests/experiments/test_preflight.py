"""The checks before a run: each refuses before anything is created."""

import pytest
from trial_helpers import SILENT_CONSOLE

from harness.api import Settings, run
from harness.errors import HarnessError
from harness.experiments.cluster_job import JOB_VARIABLE, SENDER_VARIABLE
from harness.experiments.preflight import preflight
from harness.io.checkpoint_names import list_checkpoints
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.record import open_checkpoint_folder


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", tracking_uri="none", launcher="inline", reports=tmp_path / "reports")


def no_message(text):
    raise AssertionError(f"a message: {text}")


@pytest.mark.parametrize(
    ("resources", "words"), [({"cpus": 999}, "999 CPUs"), ({"gpus": 1}, "GPU")], ids=["cores", "GPUs"]
)
def test_preflight_without_the_resources_of_a_trial_creates_nothing(quick_study, settings, resources, words):
    with pytest.raises(HarnessError, match=words):
        run(quick_study(resources=resources), settings, SILENT_CONSOLE)
    assert not settings.home.exists()


def test_preflight_of_a_directory_with_another_report_creates_nothing(quick_study, settings):
    directory = settings.reports / "quick"
    directory.mkdir(parents=True)
    (directory / "costs.json").touch()
    with pytest.raises(HarnessError, match="costs"):
        preflight(quick_study(), settings, False, no_message)
    assert not settings.home.exists()


def test_preflight_of_a_job_from_another_version_is_refused(quick_study, settings, monkeypatch):
    monkeypatch.setenv(SENDER_VARIABLE, "0.0.9 (01234567)")
    with pytest.raises(HarnessError, match=r"sent by Depthbench 0\.0\.9"):
        preflight(quick_study(), settings, False, no_message)


@pytest.mark.parametrize(
    ("uri", "where", "content"),
    [(None, "MLFLOW_TRACKING_URI", "record"), ("none", "DEPTHBENCH_STORAGE", "checkpoints")],
)
def test_preflight_of_a_job_that_would_lose_its_files_is_refused(quick_study, monkeypatch, uri, where, content):
    monkeypatch.setenv(JOB_VARIABLE, "quick-1")
    with pytest.raises(HarnessError, match=f"the {content} would lie in the job's own folder") as refused:
        preflight(quick_study(), Settings(tracking_uri=uri, launcher="inline"), False, no_message)
    assert refused.value.where == where


def test_preflight_returns_the_first_plan_and_creates_nothing(quick_study, settings):
    checked = preflight(quick_study(), settings, False, no_message)
    assert {planned.status for planned in checked.plan.trials} == {TrialStatus.NEW}
    assert checked.record.is_new
    assert not [path for path in settings.home.rglob("*") if path.is_file()]


def test_preflight_of_a_checkpoint_of_another_trial_is_refused(one_seed_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    storage = open_checkpoint_folder(settings)
    first, second = (storage / trial.id for trial in one_seed_study.trials[:2])
    for checkpoint in list_checkpoints(first):
        first.write(checkpoint.name, second.read(checkpoint.name))
    with pytest.raises(HarnessError, match="trial"):
        preflight(one_seed_study, settings, False, no_message)
