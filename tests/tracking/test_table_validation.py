"""A results.csv that was edited, joined or cut is refused, with the file, the trial and what is wrong with it."""

import pandas as pd
import pytest
from reporting.conftest import make_results, make_study

from harness.errors import HarnessError
from harness.tracking.results_csv import read_csv, write_csv


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "results.csv"
    write_csv(make_results(make_study(seeds=[10, 11])), path)
    return pd.read_csv(path, dtype="str", keep_default_na=False)


def _last(table):
    return table.index[(table["variant"] == "cifar-plain8-w8") & (table["seed"] == "11") & (table["epoch"] == "10")][0]


def _set(column, value, where=_last):
    def edit(table):
        table.loc[where(table), column] = value
        return table

    return edit


def _second_trial(table):
    """Another trial of the same variant and seed."""
    more = table[table["trial"] == table["trial"].iloc[0]].assign(trial="ffffffffffff", study="")
    return pd.concat([table, more])


EDITS = {
    "a missing column": (lambda t: t.drop(columns="test/error"), "the column test/error is missing"),
    "no error": (_set("train/error", ""), r"cifar-plain8-w8 seed 11.*its last epoch has no train/error"),
    "nan": (_set("test/error", "nan"), r"seed 11.*its last epoch has no test/error"),
    "inf": (_set("test/error", "inf"), r"seed 11, epoch 10.*test/error is no percentage"),
    "more than all": (_set("train/error_clean", "100.5"), r"train/error_clean is no percentage"),
    "below zero": (_set("train/error_clean", "-1"), r"train/error_clean is no percentage"),
    "all rows twice": (lambda t: pd.concat([t, t.assign(study="")]), r"stand there twice; so in 132 rows of 12 trials"),
    "one row twice": (lambda t: pd.concat([t, t.iloc[[5]]]), r"epoch 5\): the same trial and epoch stand there twice"),
    "another trial": (_second_trial, "another trial has the same variant and seed"),
    "two seeds": (_set("seed", "10"), "it is of two variants, seeds or outcomes"),
    "an unknown variant": (_set("variant", "alexnet"), r"\(alexnet seed 11\): its experiment declares no such variant"),
    "an unknown seed": (_set("seed", "99"), r"seed 99\): its experiment declares no such seed"),
    "no study": (_set("study", "", lambda t: t.index[0]), "does not hold the experiment"),
    "half a study": (_set("study", '{"experiment": {', lambda t: t.index[0]), "does not hold the experiment"),
    "another's study": (_set("study", '{"a": 1}', lambda t: t.index[0]), "does not hold the experiment"),
    "no rows": (lambda t: t.iloc[:0], "does not hold the experiment"),
    "words for numbers": (_set("train/error", "low"), "a column has values of another kind"),
    "no id": (_set("trial", "../../etc"), "a column has values of another kind"),
}


@pytest.mark.parametrize("case", EDITS)
def test_it_is_refused_with_file_and_trial(case, table, tmp_path):
    edit, words = EDITS[case]
    path = tmp_path / "results.csv"
    edit(table.copy()).to_csv(path, index=False)
    with pytest.raises(HarnessError, match=words) as caught:
        read_csv(path)
    assert caught.value.where == str(path)
    assert "results.csv that `harness report` wrote" in caught.value.remedy


def test_what_was_written_is_sound_also_where_trials_diverged_or_are_missing(tmp_path):
    study = make_study(seeds=[10])
    results = make_results(study, diverged=[("cifar-plain32-w8", 10)], missing=[("cifar-plain8-w8", 10)])
    write_csv(results, tmp_path / "results.csv")
    assert len(read_csv(tmp_path / "results.csv").final) == 5


@pytest.mark.parametrize("revision", ["127032774e15", "0012345", "1e999", "nan"])
def test_text_that_looks_like_a_number_stays_text(revision, tmp_path):
    study = make_study(seeds=[10], variants=[{"name": "cifar-resnet8", "label": "None"}], contrasts=[])
    results = make_results(study, provenance={("None", 10): {"revision": revision}})
    write_csv(results, tmp_path / "results.csv")
    back = read_csv(tmp_path / "results.csv")
    assert set(back.epochs["revision"]) == {revision} and set(back.epochs["variant"]) == {"None"}
    write_csv(back, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "results.csv").read_bytes()
