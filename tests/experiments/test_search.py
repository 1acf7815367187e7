"""The search, with real trials: trained once, interrupted and resumed, inline and on Ray, and never compared."""

import io
import sys
from collections import Counter

import pytest
from rich.console import Console

from harness.api import Settings, collect, plan, run
from harness.errors import HarnessError
from harness.experiments.search import extend_search, require_searcher
from harness.launchers.ray import asha
from harness.specs import SearchSpec
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import read_newest_history
from harness.tracking.record import open_checkpoint_folder
from harness.tracking.search_scores import Score, choose_sample

QUIET = Console(file=io.StringIO(), width=140)
TUNE = {"samples": 3, "fields": {"lr": {"low": 0.005, "high": 0.5, "log": True}, "weight_decay": [0.0, 1e-4]}}
VARIANTS = {"family": "cifar-resnet", "depth": 8, "shortcut": ["none", "identity"], "set": {"widths": [2, 4, 8]}}


@pytest.fixture
def searching(quick_study):
    """Two variants of depth 8 with one seed each, and a search of three samples."""

    def make(tune=None, **changes):
        fields = {
            "variants": VARIANTS,
            "data": {"name": "digits", "train_images": 256, "val_fraction": 0.2},
            "seeds": [100],
            "contrasts": None,
            "tune": {**TUNE, **(tune or {})},
        }
        return quick_study(**{**fields, **changes})

    return make


@pytest.fixture
def settings(tmp_path):
    def make(launcher="inline", uri="none", home="home"):
        return Settings(home=tmp_path / home, tracking_uri=uri, launcher=launcher, reports=tmp_path / "reports")

    return make


def test_inline_everything_once_and_equal_numbers(searching, settings):
    study, here = searching(), settings(uri=None)
    plans = []
    outcome = run(study, here, QUIET, announce=plans.append)
    assert outcome.failed == {}
    # 6 search trials, 2 at the common recipe, and those of the choices that are not the common recipe.
    recorded = here.record("quick", create=False).read_experiment()
    tuned = sum(number != 0 for number in recorded.choices.values())
    assert outcome.trained == 8 + tuned
    assert [later.trials for later in plans[0].later] == [1, 1]
    assert plans[1].later == ()

    results, record = collect("quick", here)
    assert set(results.epochs["seed"]) == {100}
    assert len(results.final) == 2
    searched = results.tuning[results.tuning["variant"].str.contains(", search ")]
    assert Counter(searched.groupby("trial")["variant"].first().str.partition(",")[0]) == {
        "cifar-plain8-w2": 3,
        "cifar-resnet8-w2": 3,
    }
    assert set(searched["seed"]) == {0}
    assert searched["val/error"].dropna().between(0, 100).all()
    # The choice is the lowest error, as anybody can look it up in the table.
    finals = searched.groupby("variant")["val/error"].last()
    for name, number in recorded.choices.items():
        assert finals[f"{name}, search {number}"] == min(finals[f"{name}, search {n}"] for n in range(3))

    kinds = Counter(run.data.tags["depthbench.kind"] for run in record._search([record.experiment_id]))
    assert kinds == {"search": 6, "trial": 2 + tuned, "variant": 2 + tuned, "report": 1}
    by_id = {run.info.run_id: run for run in record.list_runs("variant")}
    for run_ in record.list_runs("search"):
        parent = by_id[run_.data.tags["mlflow.parentRunId"]]
        assert parent.data.tags["variant"] == run_.data.tags["variant"]
        assert "seeds/n" not in run_.data.metrics

    assert run(study, here, QUIET).trained == 0
    assert collect("quick", here)[0].tuning.equals(results.tuning)
    assert {p.state for p in plan(study, here).trials} == {"recorded"}


def test_a_search_does_not_touch_the_comparison(searching, settings):
    """The same seeds with and without a search: the same trials, the same numbers."""
    run(searching(), settings(home="with"), QUIET)
    study = searching()
    bare = study.replace(samples=(), experiment=study.experiment.model_copy(update={"tune": None}))
    run(bare, settings(home="without"), QUIET)
    searched, alone = collect("quick", settings(home="with"))[0], collect("quick", settings(home="without"))[0]
    volatile = [c for c in alone.epochs.columns if c.startswith("time/")] + ["at"]
    assert searched.epochs.drop(columns=volatile).equals(alone.epochs.drop(columns=volatile))
    assert len(searched.tuning) and not len(alone.tuning)


def test_an_interrupted_search_goes_on_where_it_was(searching, settings):
    from harness.experiments.driver import run_plan
    from harness.experiments.planning.plan import make_plan
    from harness.launchers.inline import launch

    study, here = searching(), settings()

    class Ended(BaseException):
        """As a kill would."""

    ended = []

    def stopping(progress):
        ended.append(progress.trial)
        if len(set(ended)) == 3:
            raise Ended

    record = here.record("quick")
    with pytest.raises(Ended):
        run_plan(
            make_plan(study, record, open_checkpoint_folder(here), 1), record, open_checkpoint_folder(here), launch, stopping
        )
    done = {
        t.id
        for t in study.search_trials
        if (j := read_newest_history(open_checkpoint_folder(here) / t.id, t.id)) is not None and j.is_complete
    }
    assert len(done) == 2
    assert extend_search(study, record, open_checkpoint_folder(here)) == study
    times = {identity: read_newest_history(open_checkpoint_folder(here) / identity, identity).epochs[-1].at for identity in done}
    assert run(study, here, QUIET).failed == {}
    for identity, at in times.items():
        assert read_newest_history(open_checkpoint_folder(here) / identity, identity).epochs[-1].at == at
    assert here.record("quick").read_experiment().choices


def test_more_samples_train_only_what_is_missing(searching, settings):
    here = settings()
    run(searching(), here, QUIET)
    more = searching({"samples": 4})
    states = Counter((p.part, p.state) for p in plan(more, here).trials)
    assert (states["search", "recorded"], states["search", "new"]) == (6, 2)
    assert run(more, here, QUIET).failed == {}
    assert len(here.record("quick").read_experiment().samples) == 8


def test_force_trains_the_search_again_once(searching, settings):
    study, here = searching(), settings()
    first = run(study, here, QUIET)
    assert run(study, here, QUIET, force=True).trained == first.trained
    assert run(study, here, QUIET).trained == 0


def test_a_choice_waits_for_the_whole_search(searching, settings, failing, monkeypatch):
    study, here = searching(), settings()
    failing(monkeypatch, 60)
    outcome = run(study, here, QUIET)
    assert outcome.failed
    assert here.record("quick").read_experiment().choices == {}
    monkeypatch.undo()
    assert run(study, here, QUIET).failed == {}
    assert set(here.record("quick").read_experiment().choices) == {"cifar-plain8-w2", "cifar-resnet8-w2"}


def test_the_choice_prefers_whole_trials_then_error_then_loss_then_the_first(searching):
    study = searching()
    samples = study.samples_of(study.variants[0].name)

    def chosen(*scores):
        return choose_sample(
            samples, {(s.variant, s.number): Score(*score) for s, score in zip(samples, scores, strict=True)}
        )

    assert chosen((9.0, 1.0, True), (8.0, 1.0, True), (7.0, 1.0, False)).number == 1
    assert chosen((8.0, 1.0, True), (8.0, 0.5, True), (9.0, 0.1, True)).number == 1
    assert chosen((8.0, 1.0, True), (8.0, 1.0, True), (8.0, 1.0, True)).number == 0


def test_asha_needs_ray_and_says_so(searching, settings):
    with pytest.raises(HarnessError, match="inline launcher") as error:
        run(searching({"scheduler": "asha"}), settings(), QUIET)
    assert "--launcher ray" in error.value.remedy
    assert not settings().home.exists()


def test_optuna_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    tune = SearchSpec.model_validate({**TUNE, "searcher": "optuna"})
    monkeypatch.setattr("harness.experiments.search.find_spec", lambda name: None if name == "optuna" else name)
    with pytest.raises(HarnessError) as error:
        require_searcher(tune, "inline")
    assert "depthbench[tune]" in error.value.remedy
    assert "optuna" not in sys.modules


def test_optuna_proposes_the_same_for_the_same_results(searching, settings):
    pytest.importorskip("optuna")
    study, here = searching({"searcher": "optuna", "samples": 4}), settings()
    assert len(study.samples) == 2
    assert run(study, here, QUIET).failed == {}
    recorded = here.record("quick").read_experiment()
    assert [len(recorded.samples_of(v.name)) for v in study.variants] == [4, 4]
    again = extend_search(study, here.record("quick"), open_checkpoint_folder(here))
    assert (again.samples, again.choices) == (recorded.samples, recorded.choices)
    assert run(study, here, QUIET).trained == 0


@pytest.mark.slow
def test_on_ray_the_same_choices_as_inline(searching, settings):
    study = searching()
    assert run(study, settings("ray", home="ray"), QUIET).failed == {}
    run(study, settings(home="inline"), QUIET)
    chosen = [settings(home=home).record("quick").read_experiment().choices for home in ("ray", "inline")]
    assert chosen[0] == chosen[1] != {}


@pytest.mark.slow
def test_asha_stops_trials_for_good(searching, settings, monkeypatch):
    study, here = (
        searching({"scheduler": "asha", "samples": 5}, recipe={"epochs": 6, "batch": 64, "lr": 0.05}),
        settings("ray"),
    )
    assert run(study, here, QUIET).failed == {}
    results, _ = collect("quick", here)
    last = results.tuning[results.tuning["variant"].str.contains(", search ")].groupby("trial").last()
    stopped = last[last["outcome"] == TrialStatus.PRUNED]
    assert len(last) == 10
    assert len(stopped) > 0
    assert stopped["epoch"].between(asha.ceil(6 / asha.FIRST_RUNG_DIVISOR), 5).all()
    assert set(last[last["outcome"] == TrialStatus.FINISHED]["epoch"]) == {6}
    chosen = here.record("quick").read_experiment().tuned
    whole = set(last[last["outcome"] == TrialStatus.FINISHED]["variant"])
    assert {f"{name}, search {number}" for name, number in chosen.choices.items()} <= whole
    assert set(results.epochs["outcome"]) == {"finished"}
    assert run(study, here, QUIET).trained == 0
