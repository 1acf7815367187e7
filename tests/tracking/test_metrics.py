"""The table of metrics names everything that is measured."""

import pytest

from harness.tracking.metrics import COST_METRICS, EPOCH_METRICS, MEASURED_COSTS, METRICS


def test_metrics_title_has_the_unit_where_there_is_one():
    assert METRICS["test/error"].title == "Test error (%)"
    assert METRICS["optim/lr"].title == "Learning rate"


@pytest.mark.parametrize("key", METRICS)
def test_metrics_in_results_have_exactly_one_column(key):
    columns = [*EPOCH_METRICS, *COST_METRICS, *MEASURED_COSTS]
    assert columns.count(key) == METRICS[key].in_results
