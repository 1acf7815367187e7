"""The report of an experiment with a search: two readings of each contrast, and what led to the second."""

import re

import pytest
from reporting_helpers import INFO, QUICKSTART, make_results, make_study

from harness.reporting.page.report import write_report
from harness.reporting.search_trials import list_search_trials
from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.summaries import format_headline, format_summary_lines
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import Epoch, History
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


def histories_of(results):
    """Back from a table: the planted trials of the comparison."""
    found = []
    for identity, rows in results.epochs.groupby("trial", sort=False):
        trial = next(t for t in results.study.all_trials if t.id == identity)
        epochs = [
            Epoch(
                epoch=int(row["epoch"]),
                at=1763700000000,
                metrics={k: float(v) for k, v in row.items() if "/" in k and k.split("/")[0] in KINDS and v == v},
            )
            for _, row in rows.iterrows()
        ]
        first = rows.iloc[0]
        costs = {key: int(first[key]) for key in rows.columns if key.startswith("cost/")}
        provenance = {key: first[key] for key in ("device", "precision", "memory_format", "kernels", "software")}
        found.append(
            History(
                id=identity,
                trial=trial,
                outcome=TrialStatus.FINISHED,
                costs={**costs, "counter": "fvcore"},
                provenance={**provenance, "threads": 1, "shared": True, "revision": "cbb7d96"},
                epochs=epochs,
            )
        )
    return found


KINDS = ("train", "test", "time", "grad")


def searched(error, outcome=TrialStatus.FINISHED, epochs=10):
    """Makes the history of a search trial with a validation error."""

    def make(trial, like):
        rows = [Epoch(epoch=n, at=1763700000000, metrics={"val/error": error, "val/loss": 1.0}) for n in (1, epochs)]
        return like.model_copy(update={"id": trial.id, "trial": trial, "outcome": outcome, "epochs": tuple(rows)})

    return make


def planted_search(tuned_error, choice=2, searches=None, **tune):
    """A record with a search: plain 32 chose sample ``choice`` and ends near ``tuned_error`` with it, in percent."""
    changes = {
        "variants": [VARIANTS],
        "data": {"name": "digits", "val_fraction": 0.1},
        "tune": {**TUNE, **tune},
        "seeds": QUICKSTART["seeds"],
    }
    study = make_study(**changes)
    study = study.replace(data=INFO.model_copy(update={"train": 1294, "val": 144}))
    deep = next(v.name for v in study.variants if v.is_plain and v.depth == 32)
    study = study.replace(choices={v.name: choice if v.name == deep else 0 for v in study.variants})
    common = make_results(study)
    histories = histories_of(common)
    like = histories[0]
    tuned = [trial for trial in study.all_trials if study.purpose_of(trial) == "tuned"]
    plain = [h for h in histories if h.trial.variant.name == deep]
    for trial, history in zip(tuned, plain, strict=True):
        rows = [
            epoch.model_copy(
                update={
                    "metrics": {
                        k: (tuned_error + 0.01 * trial.seed if k.startswith("train/error") else v)
                        for k, v in epoch.metrics.items()
                    }
                }
            )
            for epoch in history.epochs
        ]
        histories.append(history.model_copy(update={"id": trial.id, "trial": trial, "epochs": tuple(rows)}))
    for number, trial in enumerate(study.search_trials):
        make = (searches or {}).get(number, searched(20.0 - number))
        histories.append(make(trial, like))
    return build_results_table(study, histories)


def text_of(results, directory):
    write_report(results, directory)
    return (directory / "README.md").read_text().replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def rescued():
    """Plain 32 fails at the common recipe, and not at its own."""
    return planted_search(0.1)


def test_both_readings_have_a_verdict_of_their_own(rescued):
    common, tuned = decide_contrasts(rescued)
    assert (common.state, tuned.state) == ("supported", "contradicted")
    assert "(10 epochs, one recipe for all)" in common.conclusion
    assert "(10 epochs, each variant at its tuned recipe)" in tuned.conclusion
    assert tuned.title.endswith("at tuned recipes")
    assert format_headline([common, tuned]).count("**Supported") == 1
    assert len(format_summary_lines([common, tuned])) == 2
    # Of two verdicts: Holm's first factor is 2.
    assert common.p_adjusted == pytest.approx(2 * common.p)


def test_search_trials_enter_no_statistics(rescued):
    bare = Results(rescued.study, rescued.epochs)
    changed = planted_search(0.1, searches={n: searched(90.0, TrialStatus.DIVERGED) for n in range(16)})
    before = [(v.state, v.p, v.conclusion) for v in decide_contrasts(rescued)]
    assert [(v.state, v.p, v.conclusion) for v in decide_contrasts(changed)] == before
    assert decide_contrasts(bare)[0].conclusion == before[0][2]
    assert len(rescued.final) == 4 * 8
    assert set(rescued.final["seed"]).isdisjoint({5})
    assert len(rescued.tuned.final) == 4 * 8
    assert list(rescued.tuned.final["variant"].unique()) == [v.name for v in rescued.study.variants]


def test_a_family_counts_both_readings_from_the_start():
    """Before the search is done there is one verdict, at the level that it will have beside the other."""
    whole = planted_search(0.1)
    waiting = build_results_table(whole.study.replace(choices={}), histories_of(whole))
    (only,) = decide_contrasts(waiting)
    assert only.p_adjusted == decide_contrasts(whole)[0].p_adjusted


def test_the_report_shows_budget_choices_figure_and_both_verdicts(rescued, tmp_path):
    readme = text_of(rescued, tmp_path / "quickstart")
    assert "## Tuned recipes" in readme
    assert "![Validation error against the searched fields, every search trial a point](figures/tuning.svg)" in readme
    assert "4 recipes per variant at seed 5, which no result above is from" in readme
    assert re.search(r"\| cifar-plain32-w8 \| 4 \| 40 \| 0 \| 0 \|", readme)
    assert re.search(r"\| cifar-plain32-w8 \| 0\.\d+ \| [0.e-]+1? \|", readme)
    assert "It was also the choice for cifar-plain8-w8, cifar-resnet8-w8 and cifar-resnet32-w8" in readme
    assert "at tuned recipes: contradicted" in readme
    assert "The 2 verdicts are corrected by Holm" in readme
    assert not re.search(r"\b(nan|None|inf)\b", readme)
    # Each trial of the search by its id.
    for trial in rescued.study.search_trials:
        assert trial.id in readme


def test_from_the_table_alone_the_same_bytes(rescued, tmp_path):
    for name in ("a", "b"):
        source = rescued if name == "a" else read_csv(tmp_path / "a" / "results.csv")
        write_report(source, tmp_path / name)
    files = [
        {str(p.relative_to(tmp_path / n)): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()}
        for n in ("a", "b")
    ]
    assert files[0] == files[1]
    assert "figures/tuning.png" in files[0]
    header, *rows = files[0]["results.csv"].decode().splitlines()
    assert "part" in header.split(",")
    assert sum(",search,finished," in row for row in rows) == 2 * 16


def test_stopped_diverged_and_missing_search_trials_are_named(tmp_path):
    searches = {1: searched(70.0, TrialStatus.PRUNED, 3), 2: searched(None, TrialStatus.DIVERGED, 2)}
    results = planted_search(0.1, searches=searches, scheduler="asha")
    readme = text_of(results, tmp_path / "quickstart")
    assert "stopped after 3 epochs" in readme
    assert "hollow marks were stopped early" in readme
    assert [p.error for p in list_search_trials(results)[:3]] == [20.0, 70.0, 90.0]
    fewer = Results(
        results.study, results.epochs, results.tuning[results.tuning["trial"] != results.study.search_trials[0].id]
    )
    assert "**The search is not complete:**" in text_of(fewer, tmp_path / "fewer")


def test_without_a_search_nothing_of_it_is_written(quickstart, tmp_path):
    readme = text_of(quickstart, tmp_path / "quickstart")
    assert "tuned" not in readme.lower().replace("autotuned", "")
    assert "part" not in (tmp_path / "quickstart" / "results.csv").read_text().splitlines()[0].split(",")
