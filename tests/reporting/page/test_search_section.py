"""The report of an experiment with a search: budget, choices, and two verdicts for each contrast."""

import re

import pytest
from reporting_helpers import INFO, make_histories, make_study, read_files, read_page

from harness.reporting.page.report import write_report
from harness.reporting.search_trials import list_search_trials
from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.sentences.summary_lines import format_summary_lines
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import Epoch
from harness.tracking.results_csv import read_csv
from harness.tracking.results_table import Results, build_results_table

TUNE = {
    "samples": 4,
    "fields": {"lr": {"low": 0.005, "high": 0.5, "log": True}, "weight_decay": [0.0, 1e-4]},
    "seeds": [5],
}
VARIANTS = {
    "family": "cifar-resnet",
    "depth": [8, 32],
    "shortcut": ["none", "identity"],
    "set": {"widths": [8, 16, 32]},
}


def search_history(error, outcome=TrialStatus.FINISHED, epochs=10):
    """Return a function that makes the history of a search trial with this validation error, in percent."""

    def make(trial, example):
        rows = [Epoch(epoch=n, at=1763700000000, metrics={"val/error": error, "val/loss": 1.0}) for n in (1, epochs)]
        return example.model_copy(update={"id": trial.id, "trial": trial, "outcome": outcome, "epochs": tuple(rows)})

    return make


def with_training_error(history, trial, error):
    """Return a history as that of another trial, with other training errors."""
    epochs = [
        epoch.model_copy(
            update={"metrics": {k: error if k.startswith("train/error") else v for k, v in epoch.metrics.items()}}
        )
        for epoch in history.epochs
    ]
    return history.model_copy(update={"id": trial.id, "trial": trial, "epochs": tuple(epochs)})


def make_search_study(**tune):
    """Return an experiment with a search, in which plain 32 chose sample 2 and all others the common recipe."""
    study = make_study(variants=[VARIANTS], data={"name": "digits", "val_fraction": 0.1}, tune={**TUNE, **tune})
    study = study.replace(data=INFO.model_copy(update={"train": 1294, "val": 144}))
    return study.replace(choices={v.name: 2 if v.is_plain and v.depth == 32 else 0 for v in study.variants})


def make_search_histories(study, searches=None):
    """Return the histories of all its trials; with its chosen recipe, plain 32 ends near 0.1 % training error.

    Args:
        searches: By number of the search trial, the function that makes its history.
    """
    common = make_histories(study)
    plain = [history for history in common if history.trial.variant.name == "cifar-plain32-w8"]
    tuned = [trial for trial in study.all_trials if study.purpose_of(trial) == "tuned"]
    histories = list(common)
    for trial, history in zip(tuned, plain, strict=True):
        histories.append(with_training_error(history, trial, 0.1 + 0.01 * trial.seed))
    for number, trial in enumerate(study.search_trials):
        make = (searches or {}).get(number, search_history(20.0 - number))
        histories.append(make(trial, common[0]))
    return histories


def make_search_results(searches=None, **tune):
    study = make_search_study(**tune)
    return build_results_table(study, make_search_histories(study, searches))


def write_and_read(results, directory):
    write_report(results, directory)
    return read_page(directory)


@pytest.fixture(scope="module")
def rescued():
    """Return results in which plain 32 fails with the common recipe, but not with its own."""
    return make_search_results()


def test_common_and_tuned_recipes_have_separate_verdicts(rescued):
    common, tuned = decide_contrasts(rescued)
    assert (common.state, tuned.state) == ("supported", "contradicted")
    assert "(10 epochs, one recipe for all)" in common.conclusion
    assert "(10 epochs, each variant at its tuned recipe)" in tuned.conclusion
    assert tuned.title.endswith("at tuned recipes")
    assert sum(not line.startswith(" ") for line in format_summary_lines([common, tuned])) == 2
    # There are two verdicts, so Holm's first factor is 2; non-inferiority is tested at half of the level.
    assert common.p_adjusted == pytest.approx(2 * common.p / 0.5)


def test_search_trials_change_no_verdict(rescued):
    bare = Results(rescued.study, rescued.epochs)
    changed = make_search_results({n: search_history(90.0, TrialStatus.DIVERGED) for n in range(16)})
    before = [(v.state, v.p, v.conclusion) for v in decide_contrasts(rescued)]
    assert [(v.state, v.p, v.conclusion) for v in decide_contrasts(changed)] == before
    assert decide_contrasts(bare)[0].conclusion == before[0][2]
    assert len(rescued.final) == 4 * 8
    assert set(rescued.final["seed"]).isdisjoint({5})
    assert len(rescued.tuned.final) == 4 * 8
    assert list(rescued.tuned.final["variant"].unique()) == [v.name for v in rescued.study.variants]


def test_holm_counts_both_verdicts_before_the_search_is_done():
    whole = make_search_results()
    waiting = build_results_table(whole.study.replace(choices={}), make_search_histories(whole.study))
    (only,) = decide_contrasts(waiting)
    assert only.p_adjusted == decide_contrasts(whole)[0].p_adjusted


def test_report_shows_budget_choices_figure_and_both_verdicts(rescued, tmp_path):
    readme = write_and_read(rescued, tmp_path / "quickstart")
    assert "## Tuned recipes" in readme
    assert "![Validation error against the searched fields, every search trial a point](figures/tuning.svg)" in readme
    assert "4 recipes per variant at seed 5. No result above is from this seed." in readme
    assert re.search(r"\| cifar-plain32-w8 \| 4 \| 40 \| 0 \| 0 \|", readme)
    assert re.search(r"\| cifar-plain32-w8 \| 0\.\d+ \| [0.e-]+1? \|", readme)
    assert "The search also chose it for cifar-plain8-w8, cifar-resnet8-w8 and cifar-resnet32-w8" in readme
    assert "at tuned recipes: contradicted" in readme
    assert "Holm's method corrects the 2 verdicts" in readme
    assert not re.search(r"\b(nan|None|inf)\b", readme)
    for trial in rescued.study.search_trials:
        assert trial.id in readme


def test_report_from_its_results_csv_has_equal_bytes(rescued, tmp_path):
    write_report(rescued, tmp_path / "a")
    write_report(read_csv(tmp_path / "a" / "results.csv"), tmp_path / "b")
    files = [read_files(tmp_path / name) for name in ("a", "b")]
    assert files[0] == files[1]
    assert "figures/tuning.png" in files[0]
    header, *rows = files[0]["results.csv"].decode().splitlines()
    assert "part" in header.split(",")
    assert sum(",search,finished," in row for row in rows) == 2 * 16


def test_pruned_diverged_and_missing_search_trials_are_named(tmp_path):
    searches = {1: search_history(70.0, TrialStatus.PRUNED, 3), 2: search_history(None, TrialStatus.DIVERGED, 2)}
    results = make_search_results(searches, scheduler="asha")
    readme = write_and_read(results, tmp_path / "quickstart")
    assert "pruned after 3 epochs" in readme
    assert "Hollow markers are pruned trials." in readme
    assert [p.error for p in list_search_trials(results)[:3]] == [20.0, 70.0, 90.0]
    fewer = Results(
        results.study, results.epochs, results.tuning[results.tuning["trial"] != results.study.search_trials[0].id]
    )
    assert "**The search is not complete:**" in write_and_read(fewer, tmp_path / "fewer")


def test_report_without_a_search_has_no_search_section(quickstart, tmp_path):
    readme = write_and_read(quickstart, tmp_path / "quickstart")
    assert "tuned" not in readme.lower().replace("autotuned", "")
    assert "part" not in (tmp_path / "quickstart" / "results.csv").read_text().splitlines()[0].split(",")
