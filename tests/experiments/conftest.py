"""Settings for a home, and the run of an experiment with a launcher of the test's own."""

from contextlib import ExitStack

import pytest
from trial_helpers import SILENT_CONSOLE

from harness.experiments.driver import run_plan
from harness.experiments.planning.plan import plan_experiment
from harness.experiments.run_context import RunContext
from harness.launchers.stop_request import StopRequest
from harness.settings import Settings
from harness.tracking.lock import ExperimentLock
from harness.tracking.record import open_checkpoint_folder, open_record


@pytest.fixture
def make_settings(tmp_path):
    """Return a function that makes settings for a home of the given name."""

    def make(launcher="inline", uri="none", home="home"):
        return Settings(home=tmp_path / home, tracking_uri=uri, launcher=launcher, reports=tmp_path / "reports")

    return make


@pytest.fixture
def run_with_launcher():
    """Return a function that runs one plan of an experiment with a given inline launcher."""

    def run(study, settings, launcher):
        record, storage = open_record(settings, study.experiment.name), open_checkpoint_folder(settings)
        record.create_experiment(study)
        lock = ExperimentLock(record, "a test")
        context = RunContext(record, storage, settings, SILENT_CONSOLE, StopRequest(), lock, inline_launcher=launcher)
        plan = plan_experiment(study, record, storage, settings)
        with lock.hold(), ExitStack() as launchers:
            return run_plan(plan, context, launchers)

    return run
