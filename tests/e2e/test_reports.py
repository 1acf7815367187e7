"""The commands report and diff: comparison reports, rebuilding all reports, and diff as a gate for CI."""

import json
import shutil

import pytest
from markdown_it import MarkdownIt
from reporting_helpers import make_results, make_study

from harness.reporting.comparison.comparison import write_comparison
from harness.reporting.index import rebuild_reports
from harness.reporting.page.report import write_report
from harness.tracking.results_csv import write_csv

WORSE = [3.0 + 0.1 * seed for seed in range(8)]


def _write_results(path, test_errors=None, **options):
    """Write a results.csv of the quickstart in which some variants have other test errors; return its path."""
    study = make_study()
    errors = {v.name: [1.0 + 0.1 * seed for seed in range(8)] for v in study.variants} | (test_errors or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(make_results(study, test_errors=errors, **options), path)
    return path


def test_diff_with_a_regression_exits_with_1_and_otherwise_with_0(harness, tmp_path):
    old, same = _write_results(tmp_path / "old.csv"), _write_results(tmp_path / "same.csv")
    worse = _write_results(tmp_path / "worse.csv", test_errors={"cifar-resnet20-w8": WORSE})
    passed = harness("diff", old, same)
    assert passed.returncode == 0, passed.stderr
    assert "No regression beyond noise (6 comparisons tested" in passed.stdout
    failed = harness("diff", old, worse)
    assert failed.returncode == 1, failed.stderr
    assert "Regression: cifar-resnet20-w8 in test error (+2.00 points)" in failed.stdout
    better = harness("diff", worse, old, "--json")
    assert better.returncode == 0
    content = json.loads(better.stdout)
    assert content["regression"] is False
    changes = {change["variant"]: change for change in content["errors"]}
    assert changes["cifar-resnet20-w8"]["state"] == "better"
    assert changes["cifar-resnet20-w8"]["effect"] == pytest.approx(-2.0)
    assert changes["cifar-plain8-w8"]["low"] is None
    strict = harness("diff", old, worse, "--smallest", "2.5")
    assert strict.returncode == 0 and "at least 2.5 points" in strict.stdout
    assert list((tmp_path / "work").iterdir()) == []


def test_diff_of_incomparable_results_exits_with_2(harness, tmp_path):
    old = _write_results(tmp_path / "old.csv")
    broken = tmp_path / "broken.csv"
    broken.write_text(old.read_text().replace("test/error", "test/mistakes", 1))
    done = harness("diff", old, broken)
    assert done.returncode == 2
    assert "the column test/error is missing" in done.stderr and "broken.csv" in done.stderr
    other = tmp_path / "other.csv"
    write_csv(make_results(make_study(data={"name": "digits", "split_seed": 1})), other)
    done = harness("diff", old, other)
    assert done.returncode == 2
    assert "unequal data" in done.stderr and "data.split_seed: 0 → 1" in done.stderr


def test_report_of_one_seed_calls_it_a_smoke_run(harness, tmp_path):
    table = tmp_path / "one.csv"
    write_csv(make_results(make_study(seeds=[10])), table)
    done = harness("report", table)
    assert done.returncode == 0, done.stderr
    assert "a smoke run with n = 1 seed" in done.stdout
    done = harness("diff", table, table)
    assert done.returncode == 0
    assert "n = 1 is too small to tell a change from noise" in done.stdout


def test_report_and_diff_of_mixed_hardware_name_the_devices(harness, tmp_path):
    mixed = {("cifar-plain8-w8", 12): {"device": "NVIDIA H200"}}
    table = _write_results(tmp_path / "mixed.csv", provenance=mixed)
    assert harness("report", table).returncode == 0
    text = (tmp_path / "work" / "reports" / "quickstart" / "README.md").read_text()
    assert "**Mixed conditions:** the trials differ in device" in text
    done = harness("diff", _write_results(tmp_path / "old.csv"), table)
    assert "Errors were measured under unequal conditions" in done.stdout and "NVIDIA H200" in done.stdout


@pytest.mark.slow
def test_report_all_without_the_record_rebuilds_reports_from_their_files(harness, experiment_file, tmp_path):
    """Two real experiments share trials. Their reports are combined, and rebuilt after the record is removed."""
    work = tmp_path / "work"
    assert harness("run", experiment_file(), "--launcher", "inline").returncode == 0
    longer = experiment_file("longer.yaml", name="longer", seeds=[100, 101, 102])
    assert harness("run", longer, "--launcher", "inline").returncode == 0
    table = work / "reports" / "longer" / "results.csv"
    done = harness("report", "quick", table, "--name", "both")
    assert done.returncode == 0, done.stderr
    assert "Report: reports/both/README.md" in done.stdout
    text = (work / "reports" / "both" / "README.md").read_text()
    assert "quick and longer share 8 trials" in text
    assert "differ between the two" not in text
    gate = harness("diff", "quick", table)
    assert gate.returncode == 0 and "nothing could be tested" in gate.stdout
    assert "4 trials without a partner" not in gate.stdout

    before = {p: p.read_bytes() for p in sorted((work / "reports").rglob("*")) if p.is_file()}
    shutil.rmtree(work / ".depthbench")
    done = harness("report", "--all")
    assert done.returncode == 0, done.stderr
    assert "Report: reports/README.md" in done.stdout
    assert {p: p.read_bytes() for p in before} == before
    assert not (work / ".depthbench").exists()
    rebuilt = harness("report", *sorted((work / "reports" / "both" / "results").iterdir()), "--name", "both")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize("flavour", ["gfm-like", "commonmark"])
def test_report_pages_in_a_markdown_dialect_render_without_raw_markup(flavour, tmp_path, quickstart_results):
    """Every table is a table, every figure exists, and no markup is left as text."""
    reports = tmp_path / "reports"
    write_report(quickstart_results, reports / "quickstart")
    write_comparison([quickstart_results, make_results(make_study(name="few", seeds=[10, 11]))], reports / "both")
    viewer = MarkdownIt(flavour, {"html": True, "linkify": False}).enable("table")
    for page in rebuild_reports(reports):
        text = page.read_text()
        tokens = viewer.parse(text)
        lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| :", "| -"))]
        assert sum(token.type == "tr_open" for token in tokens) == len(lines), page
        texts = [token.content for token in tokens if token.type == "inline"]
        assert not [line for line in texts if line.startswith(("|", "#", ">", "```"))]
        images = [c.attrs["src"] for t in tokens if t.children for c in t.children if c.type == "image"]
        assert len(images) == text.count("![")
        assert all((page.parent / source).is_file() for source in images)
        details = sum(token.content.count("<details>") for token in tokens if token.type == "html_block")
        assert details == text.count("<details>")


@pytest.fixture(scope="module")
def quickstart_results():
    """Results of the quickstart, drawn at random."""
    return make_results(make_study())
