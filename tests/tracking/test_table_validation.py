"""A results.csv that was edited, joined or cut is refused with the file, the trial and the fault."""

import pandas as pd
import pytest
from reporting_helpers import make_results, make_study

from harness.errors import HarnessError
from harness.tracking.results_csv import read_csv, write_csv


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of two seeds as text, as a user's spreadsheet would hold it."""
    path = tmp_path_factory.mktemp("table") / "results.csv"
    write_csv(make_results(make_study(seeds=[10, 11])), path)
    return pd.read_csv(path, dtype="str", keep_default_na=False)


def find_last_row(table):
    return table.index[(table["variant"] == "cifar-plain8-w8") & (table["seed"] == "11") & (table["epoch"] == "10")][0]


def find_first_row(table):
    return table.index[0]


def set_cell(column, value, find_row=find_last_row):
    def edit(table):
        table.loc[find_row(table), column] = value
        return table

    return edit


def add_second_trial(table):
    """Add another trial of the first variant and seed."""
    more = table[table["trial"] == table["trial"].iloc[0]].assign(trial="ffffffffffff", study="")
    return pd.concat([table, more])


EDITS = {
    "a missing column": (lambda t: t.drop(columns="test/error"), "the column test/error is missing"),
    "no error": (set_cell("train/error", ""), r"cifar-plain8-w8 seed 11.*its last epoch has no train/error"),
    "nan": (set_cell("test/error", "nan"), r"seed 11.*its last epoch has no test/error"),
    "inf": (set_cell("test/error", "inf"), r"seed 11, epoch 10.*test/error is not a percentage"),
    "more than 100": (set_cell("train/error_clean", "100.5"), r"train/error_clean is not a percentage"),
    "below zero": (set_cell("train/error_clean", "-1"), r"train/error_clean is not a percentage"),
    "all rows twice": (
        lambda t: pd.concat([t, t.assign(study="")]),
        r"has two rows for this trial and epoch; this holds for 132 rows of 12 trials",
    ),
    "one row twice": (lambda t: pd.concat([t, t.iloc[[5]]]), r"epoch 5\): the table has two rows for this trial"),
    "another trial": (add_second_trial, "another trial has the same variant and seed"),
    "two seeds": (set_cell("seed", "10"), "its rows name several variants, seeds or outcomes"),
    "an unknown variant": (set_cell("variant", "alexnet"), r"\(alexnet seed 11\): the experiment declares no such va"),
    "an unknown seed": (set_cell("seed", "99"), r"seed 99\): the experiment declares no such seed"),
    "other parameters": (
        lambda t: t.assign(**{"cost/params": t["cost/params"].where(t["seed"] == "10", "7")}),
        r"have unlike networks: trial [0-9a-f]+ \(seed 10\) has [0-9,]+ parameters, and trial .* \(seed 11\) has 7\.",
    ),
    "other MACs": (
        lambda t: t.assign(**{"cost/macs": t["cost/macs"].where(t["seed"] == "10", "7")}),
        r"[0-9,]+ MACs, and trial .* \(seed 11\) has 7\.",
    ),
    "no experiment": (set_cell("study", "", find_first_row), "does not hold the experiment"),
    "half an experiment": (set_cell("study", '{"experiment": {', find_first_row), "does not hold the experiment"),
    "other JSON": (set_cell("study", '{"a": 1}', find_first_row), "does not hold the experiment"),
    "no rows": (lambda t: t.iloc[:0], "does not hold the experiment"),
    "words for numbers": (set_cell("train/error", "low"), "a column holds values of another kind"),
    "no trial id": (set_cell("trial", "../../etc"), "a column holds values of another kind"),
}


@pytest.mark.parametrize("case", EDITS)
def test_read_csv_of_an_edited_table_raises_with_file_and_trial(case, table, tmp_path):
    edit, message = EDITS[case]
    path = tmp_path / "results.csv"
    edit(table.copy()).to_csv(path, index=False)
    with pytest.raises(HarnessError, match=message) as caught:
        read_csv(path)
    assert caught.value.where == str(path)
    assert "results.csv as `harness report` wrote it" in caught.value.remedy


def test_read_csv_with_diverged_and_missing_trials_succeeds(tmp_path):
    study = make_study(seeds=[10])
    results = make_results(study, diverged=[("cifar-plain32-w8", 10)], missing=[("cifar-plain8-w8", 10)])
    write_csv(results, tmp_path / "results.csv")
    assert len(read_csv(tmp_path / "results.csv").final) == 5
