"""The record keeps analyses: nothing is lost where two reports write at once, and other experiments find them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from reporting_helpers import TWO_VARIANTS, make_study

from harness.errors import HarnessError
from harness.specs.declarations.analysis import AnalysisLog
from harness.specs.declarations.declare import add_logs, build_analysis, declare
from harness.tracking.analyses.analysis_log import add_other_analyses, parse_log, write_analyses
from harness.tracking.record import open_record


def make_log(study, day, state="undecided"):
    """Return the log of a report on the first eight seeds."""
    at = f"2026-11-{day:02d}T12:00:00+00:00"
    analysis = build_analysis(study, 0, range(10, 18), state, at)
    return AnalysisLog(declarations=(declare(study),), analyses=(analysis,))


def with_level(day):
    """Return an experiment whose level no other day has."""
    return make_study(**TWO_VARIANTS, level=day / 100)


@pytest.fixture
def record(settings):
    record = open_record(settings, "quickstart")
    record.prepare_runs(make_study(**TWO_VARIANTS))
    return record


def test_analyses_that_several_processes_add_at_once_are_all_kept(settings, record):
    days = range(1, 9)

    def add(day):
        own = open_record(settings, "quickstart")
        write_analyses(own, own.read_experiment(), make_log(with_level(day), day))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, days))
    study = open_record(settings, "quickstart").read_experiment()
    assert [analysis.date for analysis in study.analyses] == [f"2026-11-{day:02d}" for day in days]
    assert {declaration.level for declaration in study.declarations} == {day / 100 for day in days}


def test_a_run_that_began_before_an_analysis_does_not_remove_it(record):
    planned = record.read_experiment()
    write_analyses(record, planned, make_log(planned, 1))
    record.write_experiment(planned)
    assert len(record.read_experiment().analyses) == 1


def test_the_same_analysis_again_writes_nothing_and_keeps_its_date(settings, record):
    study = write_analyses(record, record.read_experiment(), make_log(make_study(**TWO_VARIANTS), 1))
    again = write_analyses(record, study, make_log(study, 2))
    assert again == study == open_record(settings, "quickstart").read_experiment()


def test_another_experiment_in_the_store_finds_the_analyses_of_its_cells_only(settings, record):
    study = record.read_experiment()
    write_analyses(record, study, make_log(study, 1))
    copied = make_study(**TWO_VARIANTS, name="copied")
    other_recipe = copied.replace(
        experiment=copied.experiment.model_copy(
            update={"recipe": copied.experiment.recipe.model_copy(update={"epochs": 2})}
        )
    )
    found = add_other_analyses(open_record(settings, "copied"), copied)
    assert [analysis.experiment for analysis in found.analyses] == ["quickstart"]
    assert add_other_analyses(open_record(settings, "copied"), other_recipe).analyses == ()
    assert add_other_analyses(record, study).analyses == ()


def test_results_keep_analyses_in_the_file_of_the_experiment(record):
    study = make_study(**TWO_VARIANTS)
    held = add_logs(study, [make_log(study, 1)])
    assert type(study).model_validate_json(held.to_record_json()) == held


def test_a_damaged_file_is_named():
    with pytest.raises(HarnessError, match="cannot read the earlier analyses") as error:
        parse_log(b"{", "analyses/x.json")
    assert error.value.where == "analyses/x.json"
