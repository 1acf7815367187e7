"""Every mark in a table of any kind of report has its note on the same page."""

import pytest
from benchmark_helpers import build_result, build_row
from data_sets_helpers import make_data_sets_results, make_data_sets_study
from reporting.page.test_search_section import make_search_histories, make_search_study
from reporting_helpers import TWO_VARIANTS, make_results, make_study

from harness.reporting.comparison.comparison import write_comparison
from harness.reporting.data_sets.report import write_experiment_report
from harness.reporting.marks import IMAGES_MARK, NOTES, SHARED_MARK, list_mark_notes
from harness.reporting.page.benchmark_page import render_benchmark_page
from harness.reporting.page.mlflow_descriptions import describe_variants
from harness.reporting.page.report import render_report
from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs.measured_cost import MeasuredCost
from harness.tracking.results_table import Results, build_results_table

MARKS = "†‡§¶"
FLAT = {"cifar-plain8-w8": [4.0] * 16, "cifar-resnet8-w8": [2.0] * 16}
CROSSED = {"contrasts": [], "variance": {"sources": ["initialisation", "order"], "levels": 3}, "seeds": list(range(9))}
TARGETS = [{"metric": "test/error", "value": 3.0}]
TIME_TO_TARGET = {"kind": "time_to_target", "a": "cifar-resnet8-w8", "b": "cifar-plain8-w8"}


def flat_results(**changes):
    """Return results in which all trials shared their device and all seeds have the same test error."""
    return make_results(make_study(**{**TWO_VARIANTS, **changes}), test_errors=FLAT, gradients=False)


def text_of(results):
    return render_report(results, decide_contrasts(results), [])


def find_marks(page):
    """Return the marks in the tables of a page, and those that have a note outside of them."""
    tables = [line for line in page.splitlines() if line.startswith("|")]
    in_tables = {mark for mark in MARKS if any(mark in line for line in tables)}
    return in_tables, {mark for mark in MARKS if any(line.startswith(f"{mark} ") for line in page.splitlines())}


def flat_search():
    study = make_search_study()
    results = build_results_table(study, make_search_histories(study))
    return Results(study, *(table.assign(**{"test/error": 2.0}) for table in (results.epochs, results.tuning)))


@pytest.mark.parametrize(
    "make",
    [
        flat_results,
        lambda: flat_results(targets=TARGETS, contrasts=[*TWO_VARIANTS["contrasts"], TIME_TO_TARGET]),
        lambda: flat_results(**CROSSED),
        lambda: flat_results(decide={"first": 8, "step": 4, "most": 16}, seeds=list(range(8))),
        flat_search,
    ],
    ids=["contrasts", "time to target", "variance", "adaptive", "search"],
)
def test_report_explains_every_mark_in_its_tables(make):
    in_tables, explained = find_marks(text_of(make()))
    assert in_tables == explained == {IMAGES_MARK, SHARED_MARK}


def test_report_without_marks_has_no_notes():
    study = make_study(**TWO_VARIANTS)
    provenance = {(v.name, s): {"shared": False} for v in study.variants for s in study.experiment.seeds}
    assert find_marks(text_of(make_results(study, provenance=provenance, gradients=False))) == (set(), set())


def test_every_page_over_several_data_sets_explains_its_marks(tmp_path):
    results = make_data_sets_results({}, {}, study=make_data_sets_study(**TWO_VARIANTS))
    epochs = results.epochs.assign(**{"test/error": 2.0})
    write_experiment_report(type(results)(results.study, epochs), tmp_path / "both")
    pages = [path.read_text() for path in sorted((tmp_path / "both").rglob("README.md"))]
    assert len(pages) == 3
    for page in pages:
        assert find_marks(page) == ({IMAGES_MARK, SHARED_MARK}, {IMAGES_MARK, SHARED_MARK})


def test_comparison_explains_every_mark_in_its_tables(tmp_path):
    write_comparison([flat_results(), flat_results(name="other", seeds=list(range(20, 28)))], tmp_path / "both")
    in_tables, explained = find_marks((tmp_path / "both" / "README.md").read_text())
    assert in_tables == explained == {IMAGES_MARK}


def test_description_of_a_variant_explains_every_mark_in_its_table():
    for description in describe_variants(flat_results(), []).values():
        assert find_marks(description.text) == ({IMAGES_MARK, SHARED_MARK}, {IMAGES_MARK, SHARED_MARK})


@pytest.mark.parametrize("busy", ["", "others used 1.0 cores"])
def test_benchmark_explains_the_mark_of_a_contended_row(busy):
    repeat = build_result()["repeat"]
    repeat["inference"] = repeat["inference"] | {"busy": busy}
    cost = MeasuredCost.model_validate(build_row().model_dump() | {"repeats": [repeat]})
    page = render_benchmark_page("costs", [cost], "harness bench small")
    marked = [line for line in page.splitlines() if line.startswith("|") and r"\*" in line]
    notes = [line for line in page.splitlines() if line.startswith(r"\* ")]
    assert bool(marked) == bool(notes) == bool(busy)


def test_notes_come_once_each_in_a_fixed_order():
    rows = [["a †", "b ‡"], ["c †", "d"]]
    assert list_mark_notes(rows) == [f"‡ {NOTES['‡']}", f"† {NOTES['†']}"]
    assert list_mark_notes([["a"]]) == []
