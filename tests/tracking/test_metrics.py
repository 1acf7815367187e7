"""The table of metrics names everything that is measured."""

import pytest

from harness.execution.runner import run_group
from harness.execution.trial_group import TrialGroup, TrialTask
from harness.io.storage import Folder
from harness.specs import Execution, Resources
from harness.tracking.history import read_newest_history
from harness.tracking.metrics import COST_METRICS, EPOCH_METRICS, MEASURED_COSTS, METRICS


def test_metrics_title_has_the_unit_where_there_is_one():
    assert METRICS["test/error"].title == "Test error (%)"
    assert METRICS["optim/lr"].title == "Learning rate"


@pytest.mark.parametrize("key", METRICS)
def test_metrics_in_results_have_exactly_one_column(key):
    columns = [*EPOCH_METRICS, *COST_METRICS, *MEASURED_COSTS]
    assert columns.count(key) == METRICS[key].in_results


def test_metrics_name_everything_that_a_trial_measures(study, tmp_path):
    trial = study.trials[0]
    folder = Folder.from_location(tmp_path / trial.id)
    task = TrialTask(trial, Execution(), Resources(), folder, "", "", "x", False, study.data.size, "")
    list(run_group(TrialGroup((task,))))
    history = read_newest_history(folder, trial.id)
    assert history.is_complete
    assert {key for epoch in history.epochs for key in epoch.metrics} <= set(EPOCH_METRICS)
    assert set(history.costs) - {"counter"} == set(COST_METRICS)
