"""The results table: which histories it holds, and which value counts as a trial's result."""

import pytest
from tracking.helpers import make_history

from harness.errors import HarnessError
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.results_csv import COLUMNS
from harness.tracking.results_table import build_results_table


def test_results_table_orders_trials_as_declared(study):
    results = build_results_table(study, [make_history(trial) for trial in reversed(study.trials)])
    assert list(dict.fromkeys(results.epochs["trial"])) == [trial.id for trial in study.trials]
    assert [*results.epochs.columns, "study"] == COLUMNS
    assert results.missing == []


def test_results_table_lists_incomplete_trials_as_missing(study):
    first, *rest = study.trials
    histories = [make_history(first, outcome=TrialStatus.RUNNING), *map(make_history, rest)]
    assert build_results_table(study, histories).missing == [(first.variant.name, first.seed)]


def test_results_table_gives_a_diverged_trial_the_error_of_guessing(study):
    first, *rest = study.trials
    histories = [make_history(first, epochs=1, outcome=TrialStatus.DIVERGED), *map(make_history, rest)]
    diverged = build_results_table(study, histories).final.set_index("trial").loc[first.id]
    assert (diverged["train/error"], diverged["test/error"], diverged["test/accuracy"]) == (90, 90, 10)


@pytest.mark.parametrize("cost", ["cost/params", "cost/macs"])
def test_results_table_refuses_trials_of_one_variant_with_unlike_networks(study, cost):
    histories = list(map(make_history, study.trials))
    variant = histories[0].trial.variant.name
    seeds = [history for history in histories if history.trial.variant.name == variant]
    seeds[1].costs[cost] = 7
    with pytest.raises(HarnessError, match=r"have unlike networks: trial .* has 7\.") as caught:
        build_results_table(study, histories)
    assert seeds[1].id in caught.value.what and "harness discard" in caught.value.remedy


def test_results_table_accepts_macs_that_another_tool_has_counted(study):
    histories = list(map(make_history, study.trials))
    histories[0].costs.update({"cost/macs": 7, "counter": "another tool"})
    assert len(build_results_table(study, histories).final) == len(study.trials)
