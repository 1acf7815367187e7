"""Several experiments in one report, and the index over all: equal bytes from their own files, or nothing written."""

import re
import shutil
from pathlib import Path

import pytest
from reporting_helpers import INFO, make_results, make_study

from harness.errors import HarnessError
from harness.io.yaml_documents import Document
from harness.reporting.compare.comparison import read_comparison, write_comparison
from harness.reporting.index import GENERATED_MARK, rebuild_reports
from harness.reporting.page.benchmark_page import write_benchmark_report
from harness.io.output_directory import report_kind
from harness.reporting.page.report import write_report
from harness.specs import Catalogue, resolve
from harness.specs.experiment.experiment import Experiment
from harness.tracking.results_table import Results

FEWER = {"name": "fewer", "question": "And with fewer?", "seeds": [10, 11, 12], "contrasts": []}
SLOWER = {"name": "slower", "recipe": {"epochs": 4, "batch": 128, "lr": 0.1}}


def content(directory):
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def text_of(directory):
    return (directory / "README.md").read_text().replace("\N{NO-BREAK SPACE}", " ")


def elsewhere(**changes):
    """The quickstart on other data."""
    info = INFO.model_copy(update={"name": "own images", "fingerprint": "ffffffffffff", "test": 100})
    experiment = Experiment.model_validate({**make_study().experiment.model_dump(), **changes})
    return make_results(resolve(experiment, Document("planted.yaml", {}), Catalogue.load(), info))


@pytest.fixture(scope="module")
def written(quickstart, tmp_path_factory):
    directory = tmp_path_factory.mktemp("reports") / "both"
    write_comparison([quickstart, make_results(make_study(**FEWER)), make_results(make_study(**SLOWER))], directory)
    return directory


def test_what_is_written(written):
    assert set(content(written)) == {
        "README.md", "figures/errors.svg", "figures/errors.png",
        "results/1-quickstart.csv", "results/2-fewer.csv", "results/3-slower.csv",
    }  # fmt: skip
    text = text_of(written)
    assert re.findall(r"^## (.*)$", text, flags=re.M) == [
        "Answers", "Errors side by side", "Trials that they share", "What differs between them", "Times",
        "What this does not show", "Reproduce",
    ]  # fmt: skip
    assert "### fewer\n\nAnd with fewer?\n\nNo contrast is declared" in text
    assert text.count("> **Supported within this budget") == 2
    assert not re.search(r"\b(nan|NaN|inf|NaT)\b", text)


def test_what_they_share_and_what_differs_is_spelt_out(written):
    text = text_of(written)
    assert "- quickstart and fewer share 18 trials, of cifar-plain8-w8, cifar-plain20-w8" in text
    assert "quickstart and slower share" not in text
    assert "| recipe.epochs | 10 | 10 | 4 |" in text and "| recipe.lr | 0.05 | 0.05 | 0.1 |" in text
    assert "| seeds | 10, 11, 12, 13, 14, 15, 16, 17 | 10, 11, 12 |" in text
    assert "The recipes differ" in text
    assert "- device: Test CPU, 1 thread" in text.partition("What is equal in all of them")[2]
    assert "quickstart and slower: trials shared their device" in text


def test_equal_networks_stand_on_one_row(written):
    rows = [line for line in text_of(written).splitlines() if line.startswith("| cifar-plain32-w8 |")]
    assert [row.split(" | ")[3] for row in rows] == ["Training error, clean (%)", "Test error (%)"]
    assert len(rows[0].split(" | ")) == 7
    assert ["n = 8" in cell for cell in rows[0].split(" | ")[4:]] == [True, False, True]


def test_regenerates_from_its_own_tables_to_the_byte(written, tmp_path):
    before = content(written)
    write_comparison(read_comparison(written), tmp_path / "both")
    assert content(tmp_path / "both") == before
    write_comparison(read_comparison(tmp_path / "both"), tmp_path / "both")
    assert content(tmp_path / "both") == before


def test_errors_on_unlike_data_stand_in_tables_of_their_own(quickstart, tmp_path):
    write_comparison([quickstart, elsewhere(name="elsewhere")], tmp_path / "apart")
    text = text_of(tmp_path / "apart")
    assert text.count("| Variant | Depth | Shortcut | Error |") == 2
    assert not [line for line in text.splitlines() if line.startswith("| Variant") and "quickstart | elsewhere" in line]
    assert "**elsewhere**, on own images:" in text
    assert "an error of one says nothing beside an error of another" in text
    assert "| test images | 359 | 100 |" in text
    assert "- the experiments are of unlike data." in text


def test_times_stand_beside_each_other_at_equal_conditions_alone(tmp_path):
    def alone(device="Test CPU, 1 thread", but=(), **changes):
        study = make_study(**changes)
        where = {"shared": False, "device": device}
        every = {(v.name, s): where | {"shared": s in but} for v in study.variants for s in study.experiment.seeds}
        return make_results(study, provenance=every)

    write_comparison([alone(), alone(**FEWER)], tmp_path / "equal")
    assert "| cifar-plain8-w8 | 5.0 ± 0.0 | 5.0 ± 0.0 |" in text_of(tmp_path / "equal")
    write_comparison([alone(), alone("NVIDIA H200", **FEWER)], tmp_path / "unlike")
    text = text_of(tmp_path / "unlike")
    assert "hardware, software or settings differ (device: Test CPU, 1 thread → NVIDIA H200)" in text
    assert "**Unlike conditions:** device differ" in text
    assert "5.0 ± 0.0" not in text
    write_comparison([alone(but=[10]), alone(**FEWER)], tmp_path / "some")
    assert "| cifar-plain8-w8 | 5.0 ± 0.0 | 5.0 ± 0.0 |" in text_of(tmp_path / "some")


def test_two_of_one_name_are_numbered_and_unlike_networks_of_one_name_apart(quickstart, tmp_path):
    def labelled(widths, **changes):
        variants = [{"name": "cifar-resnet8", "label": "mine", "set": {"widths": widths}}]
        return make_results(make_study(variants=variants, contrasts=[], **changes))

    write_comparison([labelled([8, 16, 32]), labelled([16, 16, 32])], tmp_path / "twice")
    text = text_of(tmp_path / "twice")
    assert "2 experiments in one report: quickstart (1) and quickstart (2)." in text
    assert "| mine (quickstart (1)) |" in text and "| mine (quickstart (2)) |" in text


def test_a_table_that_left_goes_and_what_is_not_ours_stays(quickstart, written, tmp_path):
    directory = tmp_path / "both"
    shutil.copytree(written, directory)
    (directory / "results" / "mine.csv").write_text("mine")
    write_comparison(read_comparison(written)[:2], directory)
    assert {p.name for p in (directory / "results").iterdir()} == {"1-quickstart.csv", "2-fewer.csv", "mine.csv"}
    with pytest.raises(HarnessError, match="no results table of a report") as caught:
        read_comparison(directory)
    assert caught.value.where.endswith("mine.csv")


def test_refused_before_anything_is_written(quickstart, tmp_path):
    empty = Results(quickstart.study, quickstart.epochs.iloc[:0])
    with pytest.raises(HarnessError, match="no trial of 'quickstart' is recorded"):
        write_comparison([quickstart, empty], tmp_path / "x")
    with pytest.raises(HarnessError, match="are given twice"):
        write_comparison([quickstart, quickstart], tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_one_kind_of_report_does_not_replace_another(quickstart, written, tmp_path):
    write_report(quickstart, tmp_path / "quickstart")
    with pytest.raises(HarnessError, match="the report of an experiment lies there already"):
        write_comparison(read_comparison(written), tmp_path / "quickstart")
    shutil.copytree(written, tmp_path / "both")
    before = content(tmp_path / "both")
    with pytest.raises(HarnessError, match="over several experiments lies there already"):
        write_report(quickstart, tmp_path / "both")
    assert content(tmp_path / "both") == before
    (tmp_path / "both" / "figures").rename(tmp_path / "moved")
    (tmp_path / "both" / "figures").symlink_to(tmp_path / "moved")
    with pytest.raises(HarnessError, match="not written through a link"):
        write_comparison(read_comparison(written), tmp_path / "both")


@pytest.fixture
def reports(quickstart, written, tmp_path):
    """A directory with a report of each kind, and things that are none."""
    place = tmp_path / "reports"
    write_report(quickstart, place / "quickstart")
    write_report(make_results(make_study(**FEWER)), place / "fewer")
    shutil.copytree(written, place / "both")
    write_benchmark_report("costs", [], place / "costs", "harness bench")
    (place / "notes").mkdir()
    (place / "notes" / "README.md").write_text("mine")
    return place


def test_all_are_rebuilt_from_their_own_files_and_the_index_names_them(reports):
    before = content(reports)
    for page in (reports / "quickstart" / "README.md", reports / "both" / "figures" / "errors.svg"):
        page.write_text("stale")
    pages = rebuild_reports(reports)
    assert [str(page.relative_to(reports)) for page in pages] == [
        "both/README.md", "fewer/README.md", "quickstart/README.md", "README.md",
    ]  # fmt: skip
    after = content(reports)
    index = after.pop("README.md").decode()
    assert after == before
    assert index.startswith(f"# Reports\n\n{GENERATED_MARK}\n")
    assert re.findall(r"^## \[(.*)\]\((.*)\)$", index, flags=re.M) == [
        (name, f"{name}/README.md") for name in ("both", "costs", "fewer", "quickstart")
    ]
    for source in re.findall(r'<img src="([^"]+)"', index):
        assert (reports / source).is_file()
    assert len(re.findall("<img", index)) == 3
    assert "n = 8; 48 trials of 6 variants on digits, measured 2025-11-21" in index
    assert "Depth degradation from depth 8 to 32: *supported*." in index
    assert index.count("> **Supported within this budget (10 epochs):** from depth 8") == 1
    rebuild_reports(reports)
    assert content(reports)["README.md"].decode() == index


def test_one_that_cannot_be_read_leaves_all_as_they_are(reports):
    broken = reports / "quickstart" / "results.csv"
    broken.write_text(broken.read_text().replace("train/error_clean", "train/mistakes"))
    (reports / "both" / "README.md").write_text("stale")
    before = content(reports)
    with pytest.raises(HarnessError, match="the column train/error_clean is missing"):
        rebuild_reports(reports)
    assert content(reports) == before


def test_a_page_that_somebody_wrote_is_not_replaced(reports):
    (reports / "README.md").write_text("# What I found\n")
    before = content(reports)
    with pytest.raises(HarnessError, match="was not written by `harness report --all`"):
        rebuild_reports(reports)
    assert content(reports) == before


def test_no_report_at_all(tmp_path):
    with pytest.raises(HarnessError, match="there is no report"):
        rebuild_reports(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_kinds(reports):
    assert [report_kind(reports / name) for name in ("both", "costs", "fewer", "notes")] == [
        "comparison", "costs", "experiment", None,
    ]  # fmt: skip
    assert report_kind(Path("/nowhere")) is None
