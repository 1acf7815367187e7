"""All reports of a directory are rebuilt from their own files, with an index, or none is changed."""

import re
import shutil

import pytest
from reporting_helpers import make_results, make_study, read_files

from harness.errors import HarnessError
from harness.reporting.comparison.comparison import write_comparison
from harness.reporting.index import GENERATED_MARK, rebuild_reports
from harness.reporting.page.benchmark_page import write_benchmark_report
from harness.reporting.page.report import write_report

FEWER = {"name": "fewer", "question": "And with fewer?", "seeds": [10, 11, 12], "contrasts": []}


@pytest.fixture(scope="module")
def written(quickstart, tmp_path_factory):
    """Return a directory with a report of each kind, and with a directory that is no report."""
    directory = tmp_path_factory.mktemp("written") / "reports"
    fewer = make_results(make_study(**FEWER))
    write_report(quickstart, directory / "quickstart")
    write_report(fewer, directory / "fewer")
    write_comparison([quickstart, fewer], directory / "both")
    write_benchmark_report("costs", [], directory / "costs", "harness bench")
    (directory / "notes").mkdir()
    (directory / "notes" / "README.md").write_text("mine")
    return directory


@pytest.fixture
def reports(written, tmp_path):
    return shutil.copytree(written, tmp_path / "reports")


def test_rebuild_reports_restores_every_report_from_its_own_files(reports):
    before = read_files(reports)
    for page in (reports / "quickstart" / "README.md", reports / "both" / "figures" / "errors.svg"):
        page.write_text("stale")
    pages = rebuild_reports(reports)
    assert [str(page.relative_to(reports)) for page in pages] == [
        "both/README.md", "fewer/README.md", "quickstart/README.md", "README.md",
    ]  # fmt: skip
    assert {name: data for name, data in read_files(reports).items() if name != "README.md"} == before


def test_index_names_every_report_with_its_verdicts_and_a_figure(reports):
    rebuild_reports(reports)
    index = (reports / "README.md").read_text()
    assert index.startswith(f"# Reports\n\n{GENERATED_MARK}\n")
    assert re.findall(r"^## \[(.*)\]\((.*)\)$", index, flags=re.M) == [
        (name, f"{name}/README.md") for name in ("both", "costs", "fewer", "quickstart")
    ]
    figures = re.findall(r'<img src="([^"]+)"', index)
    assert len(figures) == 3 and all((reports / figure).is_file() for figure in figures)
    assert "n = 8; 48 trials of 6 variants on digits, measured 2025-11-21" in index
    # The comparison of two experiments names the same answer.
    assert index.count("Yes: from depth 8 to 32, the training error of the plain networks rises") == 2
    assert index.count("**Supported within this budget (10 epochs)") == 1


def test_rebuild_reports_twice_gives_an_equal_index(reports):
    rebuild_reports(reports)
    index = (reports / "README.md").read_bytes()
    rebuild_reports(reports)
    assert (reports / "README.md").read_bytes() == index


def test_rebuild_reports_with_an_unreadable_table_changes_nothing(reports):
    broken = reports / "quickstart" / "results.csv"
    broken.write_text(broken.read_text().replace("train/error_clean", "train/mistakes"))
    (reports / "both" / "README.md").write_text("stale")
    before = read_files(reports)
    with pytest.raises(HarnessError, match="the column train/error_clean is missing"):
        rebuild_reports(reports)
    assert read_files(reports) == before


def test_rebuild_reports_never_replaces_a_page_written_by_hand(reports):
    (reports / "README.md").write_text("# My findings\n")
    before = read_files(reports)
    with pytest.raises(HarnessError, match="was not written by `harness report --all`"):
        rebuild_reports(reports)
    assert read_files(reports) == before


def test_rebuild_reports_without_any_report_is_refused(tmp_path):
    with pytest.raises(HarnessError, match="there is no report"):
        rebuild_reports(tmp_path)
    assert list(tmp_path.iterdir()) == []
