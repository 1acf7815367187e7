"""The results table: which histories it holds, and which value counts as a trial's result."""

from tracking.helpers import make_history

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
