"""The search with real trials: trained once, interrupted and resumed, inline and on Ray, and never compared."""

import sys
from collections import Counter

import pytest
from trial_helpers import SILENT_CONSOLE

from harness.api import collect, plan, run
from harness.errors import HarnessError
from harness.experiments.search import extend_search, require_searcher
from harness.launchers.inline import launch
from harness.launchers.ray import asha
from harness.specs import SearchSpec
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import read_newest_history
from harness.tracking.record import open_checkpoint_folder, open_record
from harness.tracking.search_scores import Score, choose_sample

SEARCH = {"samples": 3, "fields": {"lr": {"low": 0.005, "high": 0.5, "log": True}, "weight_decay": [0.0, 1e-4]}}
VARIANTS = {"family": "cifar-resnet", "depth": 8, "shortcut": ["none", "identity"], "set": {"widths": [2, 4, 8]}}


@pytest.fixture
def search_study(quick_study):
    """Return a function that makes an experiment of two variants with one seed each, and a search of three samples."""

    def make(tune=None, **changes):
        fields = {
            "variants": VARIANTS,
            "data": {"name": "digits", "train_images": 256, "val_fraction": 0.2},
            "seeds": [100],
            "contrasts": None,
            "tune": {**SEARCH, **(tune or {})},
        }
        return quick_study(**{**fields, **changes})

    return make


def read_recorded(settings):
    """Return the quick experiment as its last run has recorded it."""
    return open_record(settings, "quick", create=False).read_experiment()


def search_rows(settings):
    """Return the rows of all search trials in the table of results."""
    table = collect("quick", settings)[0].tuning
    return table[table["variant"].str.contains(", search ")]


def test_search_trains_each_sample_once_and_then_the_choices(search_study, make_settings):
    study, settings, plans = search_study(), make_settings(uri=None), []
    result = run(study, settings, SILENT_CONSOLE, announce=plans.append)
    assert result.failed == {}
    # Six search trials, two with the common recipe, and those with a chosen recipe that is not the common one.
    tuned = sum(number != 0 for number in read_recorded(settings).choices.values())
    assert result.trained == 8 + tuned
    assert [[pending.trials for pending in each.pending] for each in plans[:2]] == [[1, 1], []]
    assert run(study, settings, SILENT_CONSOLE).trained == 0
    assert {planned.status for planned in plan(study, settings).trials} == {TrialStatus.FINISHED}


def test_search_trials_are_in_a_table_of_their_own(search_study, make_settings):
    settings = make_settings()
    run(search_study(), settings, SILENT_CONSOLE)
    results = collect("quick", settings)[0]
    assert set(results.epochs["seed"]) == {100}
    assert len(results.final) == 2
    rows = search_rows(settings)
    assert Counter(rows.groupby("trial")["variant"].first().str.partition(",")[0]) == {
        "cifar-plain8-w2": 3,
        "cifar-resnet8-w2": 3,
    }
    assert set(rows["seed"]) == {0}
    assert rows["val/error"].dropna().between(0, 100).all()


def test_search_chooses_the_lowest_error_of_the_table(search_study, make_settings):
    settings = make_settings()
    run(search_study(), settings, SILENT_CONSOLE)
    errors = search_rows(settings).groupby("variant")["val/error"].last()
    choices = read_recorded(settings).choices
    assert set(choices) == {"cifar-plain8-w2", "cifar-resnet8-w2"}
    for name, number in choices.items():
        assert errors[f"{name}, search {number}"] == min(errors[f"{name}, search {n}"] for n in range(3))


def test_search_does_not_change_the_comparison(search_study, make_settings):
    study, searched, bare = search_study(), make_settings(home="with"), make_settings(home="without")
    run(study, searched, SILENT_CONSOLE)
    experiment = study.experiment.model_copy(update={"tune": None})
    run(study.replace(samples=(), experiment=experiment), bare, SILENT_CONSOLE)
    tables = [collect("quick", settings)[0].epochs for settings in (searched, bare)]
    volatile = [column for column in tables[0].columns if column.startswith("time/")] + ["at"]
    assert tables[0].drop(columns=volatile).equals(tables[1].drop(columns=volatile))
    assert len(search_rows(searched)) and collect("quick", bare)[0].tuning.empty


def test_search_that_is_killed_trains_no_sample_twice(search_study, make_settings, run_with_launcher):
    study, settings = search_study(), make_settings()

    class Killed(BaseException):
        """Ends the run without any cleanup."""

    def kill_in_third_trial(groups, concurrency, report, stop):
        seen = set()

        def report_and_kill(progress):
            seen.add(progress.trial)
            if len(seen) == 3:
                raise Killed
            report(progress)

        launch(groups, concurrency, report_and_kill, stop)

    with pytest.raises(Killed):
        run_with_launcher(study, settings, kill_in_third_trial)
    storage = open_checkpoint_folder(settings)

    def read_ends():
        histories = [read_newest_history(storage / trial.id, trial.id) for trial in study.search_trials]
        return {h.id: h.epochs[-1].at for h in histories if h is not None and h.is_complete}

    ends = read_ends()
    assert len(ends) == 2
    assert extend_search(study, open_record(settings, "quick"), storage) == study
    assert run(study, settings, SILENT_CONSOLE).failed == {}
    assert ends.items() <= read_ends().items()
    assert read_recorded(settings).choices


def test_search_with_more_samples_trains_only_these(search_study, make_settings):
    settings = make_settings()
    run(search_study(), settings, SILENT_CONSOLE)
    study = search_study({"samples": 4})
    statuses = Counter((planned.part, planned.status) for planned in plan(study, settings).trials)
    assert (statuses["search", TrialStatus.FINISHED], statuses["search", TrialStatus.NEW]) == (6, 2)
    assert run(study, settings, SILENT_CONSOLE).failed == {}
    assert len(read_recorded(settings).samples) == 8


def test_search_with_force_is_trained_again_once(search_study, make_settings):
    study, settings = search_study(), make_settings()
    first = run(study, settings, SILENT_CONSOLE)
    assert run(study, settings, SILENT_CONSOLE, force=True).trained == first.trained
    assert run(study, settings, SILENT_CONSOLE).trained == 0


def test_search_chooses_only_after_all_samples(search_study, make_settings, fail_training, monkeypatch):
    study, settings = search_study(), make_settings()
    with monkeypatch.context() as patched:
        fail_training(patched, 60)
        assert run(study, settings, SILENT_CONSOLE).failed
    assert read_recorded(settings).choices == {}
    assert run(study, settings, SILENT_CONSOLE).failed == {}
    assert set(read_recorded(settings).choices) == {"cifar-plain8-w2", "cifar-resnet8-w2"}


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ([(9.0, 1.0, True), (8.0, 1.0, True), (7.0, 1.0, False)], 1),
        ([(8.0, 1.0, True), (8.0, 0.5, True), (9.0, 0.1, True)], 1),
        ([(8.0, 1.0, True), (8.0, 1.0, True), (8.0, 1.0, True)], 0),
    ],
    ids=["whole before error", "loss after error", "the first of equals"],
)
def test_choice_compares_whole_trials_then_error_then_loss(search_study, scores, chosen):
    study = search_study()
    samples = study.samples_of(study.variants[0].name)
    by_sample = {(s.variant, s.number): Score(*score) for s, score in zip(samples, scores, strict=True)}
    assert choose_sample(samples, by_sample).number == chosen


def test_search_with_asha_inline_is_refused_and_creates_nothing(search_study, make_settings):
    settings = make_settings()
    with pytest.raises(HarnessError, match="inline launcher") as refused:
        run(search_study({"scheduler": "asha"}), settings, SILENT_CONSOLE)
    assert "--launcher ray" in refused.value.remedy
    assert not settings.home.exists()


def test_search_without_optuna_names_what_to_install(monkeypatch):
    tune = SearchSpec.model_validate({**SEARCH, "searcher": "optuna"})
    monkeypatch.setattr("harness.experiments.search.find_spec", lambda name: None if name == "optuna" else name)
    with pytest.raises(HarnessError) as refused:
        require_searcher(tune, "inline")
    assert "depthbench[tune]" in refused.value.remedy
    assert "optuna" not in sys.modules


def test_optuna_proposes_the_same_for_the_same_results(search_study, make_settings):
    pytest.importorskip("optuna")
    study, settings = search_study({"searcher": "optuna", "samples": 4}), make_settings()
    assert len(study.samples) == 2
    assert run(study, settings, SILENT_CONSOLE).failed == {}
    recorded = read_recorded(settings)
    assert [len(recorded.samples_of(variant.name)) for variant in study.variants] == [4, 4]
    repeated = extend_search(study, open_record(settings, "quick"), open_checkpoint_folder(settings))
    assert (repeated.samples, repeated.choices) == (recorded.samples, recorded.choices)
    assert run(study, settings, SILENT_CONSOLE).trained == 0


@pytest.mark.slow
def test_search_on_ray_makes_the_choices_of_inline(search_study, make_settings):
    study, on_ray, inline = search_study(), make_settings("ray", home="ray"), make_settings(home="inline")
    assert run(study, on_ray, SILENT_CONSOLE).failed == {}
    run(study, inline, SILENT_CONSOLE)
    assert read_recorded(on_ray).choices == read_recorded(inline).choices != {}


@pytest.mark.slow
def test_search_with_asha_prunes_trials_for_good(search_study, make_settings):
    recipe = {"epochs": 6, "batch": 64, "lr": 0.05}
    study, settings = search_study({"scheduler": "asha", "samples": 5}, recipe=recipe), make_settings("ray")
    assert run(study, settings, SILENT_CONSOLE).failed == {}
    last = search_rows(settings).groupby("trial").last()
    pruned, finished = (last[last["outcome"] == s] for s in (TrialStatus.PRUNED, TrialStatus.FINISHED))
    assert len(last) == 10
    assert len(pruned) > 0
    assert pruned["epoch"].between(asha.ceil(6 / asha.FIRST_RUNG_DIVISOR), 5).all()
    assert set(finished["epoch"]) == {6}
    chosen = {f"{name}, search {number}" for name, number in read_recorded(settings).choices.items()}
    assert chosen <= set(finished["variant"])
    assert set(collect("quick", settings)[0].epochs["outcome"]) == {"finished"}
    assert run(study, settings, SILENT_CONSOLE).trained == 0


def test_search_runs_in_mlflow_are_nested_under_their_variant_and_not_averaged(search_study, make_settings):
    settings = make_settings(uri=None)
    run(search_study(), settings, SILENT_CONSOLE)
    record = open_record(settings, "quick", create=False)
    tuned = sum(number != 0 for number in record.read_experiment().choices.values())
    counts = {kind: len(record.list_runs(kind)) for kind in ("search", "trial", "variant", "report")}
    assert counts == {"search": 6, "trial": 2 + tuned, "variant": 2 + tuned, "report": 1}
    variants = {variant.info.run_id: variant.data.tags["variant"] for variant in record.list_runs("variant")}
    for searched in record.list_runs("search"):
        assert variants[searched.data.tags["mlflow.parentRunId"]] == searched.data.tags["variant"]
        assert "seeds/n" not in searched.data.metrics
