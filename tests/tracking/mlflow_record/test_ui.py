"""``harness ui``: the address that it prints, and what it refuses."""

import io

import pytest
from rich.console import Console

from harness.errors import HarnessError
from harness.tracking.mlflow_record.ui import serve_ui
from harness.tracking.mlflow_record.writer import MlflowRecord


def test_serve_ui_of_an_unknown_experiment_suggests_a_similar_name(record, tmp_path):
    with pytest.raises(HarnessError, match=f"Did you mean '{record.name}'"):
        serve_ui(record.uri, tmp_path, record.name + "k", 5000, Console())


@pytest.mark.slow
def test_serve_ui_of_a_tracking_server_prints_the_page_of_the_experiment(server, study, tmp_path):
    record = MlflowRecord(server.uri, study.experiment.name)
    record.prepare_runs(study)
    screen = io.StringIO()
    assert serve_ui(server.uri, tmp_path, record.name, 5000, Console(file=screen, width=300)) == 0
    page = f"{server.uri}/#/experiments/{record.experiment_id}/runs?compareRunsMode=CHART&workflowType=machine_lear"
    assert page in screen.getvalue()


def test_serve_ui_without_a_store_raises(tmp_path):
    with pytest.raises(HarnessError, match="there is no store yet"):
        serve_ui(None, tmp_path, None, 5000, Console())
