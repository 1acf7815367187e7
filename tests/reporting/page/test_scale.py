"""Reports over ten thousand trials are correct; benchmarks/scale.py measures how long they take."""

import importlib.util
from pathlib import Path

import pytest

from harness.reporting.diff.results_diff import compare_results
from harness.reporting.page.report import write_report
from harness.tracking.results_csv import read_csv, write_csv

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "scale.py"


@pytest.fixture(scope="module")
def invent_results():
    spec = importlib.util.spec_from_file_location("scale", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.invent_results


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("variants", "seeds"), [(10, 1000), (1250, 8)])
def test_report_of_ten_thousand_trials_is_correct(invent_results, variants, seeds, tmp_path):
    results = invent_results(variants, seeds)
    assert len(results.final) == 10_000 and len(results.epochs) == 110_000
    write_csv(results, tmp_path / "results.csv")
    back = read_csv(tmp_path / "results.csv")
    (verdict,) = write_report(back, tmp_path / "report")
    assert (verdict.state, verdict.n) == ("supported", seeds)
    assert (tmp_path / "report" / "results.csv").read_bytes() == (tmp_path / "results.csv").read_bytes()
    text = (tmp_path / "report" / "README.md").read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert "10,000 of 10,000 declared trials are recorded; 0 diverged" in text
    mine = back.final[back.final["variant"] == "none-32-2"]["test/error"]
    row = next(line for line in text.splitlines() if line.startswith("| none-32-2 | 32 | none |"))
    assert f"| {seeds} |" in row and f"{mine.mean():.2f} ± {mine.std():.2f}" in row
    figures = {path.stem for path in (tmp_path / "report" / "figures").iterdir()}
    if variants == 10:
        assert {"depth", "curves"} <= figures
        assert "Thick lines are means over seeds" in text and "Thin lines" not in text
    else:
        assert not {"depth", "curves", "variants"} & figures
        assert "A figure has no room for 1250 variants" in text
    diff = compare_results(back, back)
    assert len(diff.errors) == variants and not diff.regression
