"""The comparison report over several experiments: equal bytes from its own files, or nothing is written."""

import re
import shutil

import pytest
from data_sets_helpers import DEGRADED, make_data_sets_results, make_data_sets_study
from reporting_helpers import INFO, make_results, make_study, read_files, read_page

from harness.errors import HarnessError
from harness.io.yaml_documents import Document
from harness.reporting.comparison.comparison import read_comparison, write_comparison
from harness.reporting.comparison.experiment_results import label_experiments
from harness.reporting.comparison.verdicts import decide_experiments, group_data_sets
from harness.reporting.data_sets.separate import separate_data_sets
from harness.reporting.data_sets.verdicts import decide_views
from harness.reporting.page.report import write_report
from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs import Catalogue, resolve
from harness.specs.experiment.experiment import Experiment
from harness.tracking.results_table import DATA_COLUMN, Results

FEWER = {"name": "fewer", "question": "And with fewer?", "seeds": [10, 11, 12], "contrasts": []}
SLOWER = {"name": "slower", "recipe": {"epochs": 4, "batch": 128, "lr": 0.1}}


def make_results_on_other_data(**changes):
    """Return results of the quickstart on another data set."""
    info = INFO.model_copy(update={"name": "fashion-mnist", "fingerprint": "ffffffffffff", "test": 100})
    fields = {**make_study().experiment.model_dump(), "data": {"name": "fashion-mnist"}}
    experiment = Experiment.model_validate({**fields, **changes})
    return make_results(resolve(experiment, Document("planted.yaml", {}), Catalogue.load(), info))


@pytest.fixture(scope="module")
def written(quickstart, tmp_path_factory):
    directory = tmp_path_factory.mktemp("reports") / "both"
    write_comparison([quickstart, make_results(make_study(**FEWER)), make_results(make_study(**SLOWER))], directory)
    return directory


def test_comparison_holds_all_files_and_sections(written):
    assert set(read_files(written)) == {
        "README.md", "figures/errors.svg", "figures/errors.png",
        "results/1-quickstart.csv", "results/2-fewer.csv", "results/3-slower.csv",
    }  # fmt: skip
    text = read_page(written)
    assert re.findall(r"^## (.*)$", text, flags=re.M) == ["Answers", "Differences", "Reproduce"]
    assert re.findall("<summary>(.*)</summary>", text) == [
        "Errors side by side", "Verdicts in full", "Shared trials", "What is equal in all of them", "Times",
    ]  # fmt: skip
    assert "### fewer\n\nAnd with fewer?\n\n**No contrast is declared" in text
    assert text.count("**Supported within this budget") == 2
    assert "| **Depth degradation from depth 8 to 32** | **supported** |" not in text, "a row names its experiment"
    assert "| slower: **Depth degradation from depth 8 to 32** | **supported** |" in text
    assert not re.search(r"\b(nan|NaN|inf|NaT)\b", text)


def test_comparison_names_shared_trials_and_differences(written):
    text = read_page(written)
    assert "- quickstart and fewer share 18 trials, of cifar-plain8-w8, cifar-plain20-w8" in text
    assert "quickstart and slower share" not in text
    assert "| recipe.epochs | 10 | 10 | 4 |" in text and "| recipe.lr | 0.05 | 0.05 | 0.1 |" in text
    assert "| seeds | 10, 11, 12, 13, 14, 15, 16, 17 | 10, 11, 12 |" in text
    assert "The recipes differ" in text
    assert "- device: Test CPU, 1 thread" in text.partition("What is equal in all of them")[2]
    assert "quickstart and slower: no finished trial had its device to itself" in text


def test_equal_networks_share_a_row(written):
    rows = [line for line in read_page(written).splitlines() if line.startswith("| cifar-plain32-w8 |")]
    assert [row.split(" | ")[3] for row in rows] == ["Training error, clean (%)", "Test error (%)"]
    assert len(rows[0].split(" | ")) == 7
    assert ["n = 8" in cell for cell in rows[0].split(" | ")[4:]] == [True, False, True]


def test_comparison_from_its_own_tables_has_equal_bytes(written, tmp_path):
    before = read_files(written)
    write_comparison(read_comparison(written), tmp_path / "both")
    assert read_files(tmp_path / "both") == before
    write_comparison(read_comparison(tmp_path / "both"), tmp_path / "both")
    assert read_files(tmp_path / "both") == before


def make_two_levels():
    """Return results on two data sets whose p values are 1/256 and 2/256.

    Of the level of 0.015, a claim has three quarters: 0.0113 alone, and half of it, 0.0056, beside another open one.
    """
    deep, shallow = "cifar-plain32-w8", "cifar-plain8-w8"
    contrast = {"kind": "difference", "a": deep, "b": shallow, "metric": "train/error_clean", "side": "greater"}
    results = make_data_sets_results(DEGRADED, DEGRADED, study=make_data_sets_study(contrasts=[contrast], level=0.015))
    frame = results.epochs
    last = (frame["epoch"] == 10) & (frame[DATA_COLUMN] == "fashion-mnist")
    frame.loc[last & (frame["variant"] == shallow), "train/error_clean"] = 1.0
    frame.loc[last & (frame["variant"] == deep), "train/error_clean"] = [0.95, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]
    return results


def test_data_sets_of_one_experiment_leave_their_level_to_each_other():
    results = make_two_levels()
    assert [decide_contrasts(view)[0].state for view in results.views] == ["supported", "undecided"]
    parts = label_experiments(separate_data_sets(results))
    together = [verdict.state for (verdict,) in decide_experiments(parts)]
    assert together == [verdict.state for (verdict,) in decide_views(results)] == ["supported", "supported"]


def test_the_same_data_set_a_second_time_is_another_experiment(quickstart):
    first, second = make_two_levels(), make_two_levels()
    parts = [part for results in (first, second) for part in separate_data_sets(results)]
    names = [[part.label for part in group] for group in group_data_sets(label_experiments([quickstart, *parts]))]
    digits, fashion = "quickstart-digits", "quickstart-fashion-mnist"
    assert names == [["quickstart"], [f"{digits} (1)", f"{fashion} (1)"], [f"{digits} (2)", f"{fashion} (2)"]]


def test_errors_on_unequal_data_are_in_separate_tables(quickstart, tmp_path):
    write_comparison([quickstart, make_results_on_other_data(name="elsewhere")], tmp_path / "apart")
    text = read_page(tmp_path / "apart")
    assert text.count("| Variant | Depth | Shortcut | Error |") == 2
    assert not [line for line in text.splitlines() if line.startswith("| Variant") and "quickstart | elsewhere" in line]
    assert "**elsewhere**, on fashion-mnist:" in text
    assert "Errors of different tables must not be compared." in text
    assert "| test images | 359 | 100 |" in text
    assert "- the experiments have unequal data." in text


def test_times_are_compared_under_equal_conditions_only(tmp_path):
    def make_exclusive(device="Test CPU, 1 thread", shared_seeds=(), **changes):
        study = make_study(**changes)
        provenance = {
            (variant.name, seed): {"device": device, "shared": seed in shared_seeds}
            for variant in study.variants
            for seed in study.experiment.seeds
        }
        return make_results(study, provenance=provenance)

    write_comparison([make_exclusive(), make_exclusive(**FEWER)], tmp_path / "equal")
    assert "| cifar-plain8-w8 | 5.0 ± 0.0 | 5.0 ± 0.0 |" in read_page(tmp_path / "equal")
    write_comparison([make_exclusive(), make_exclusive("NVIDIA H200", **FEWER)], tmp_path / "unlike")
    text = read_page(tmp_path / "unlike")
    assert "hardware, software or settings differ (device: Test CPU, 1 thread → NVIDIA H200)" in text
    assert "**Unequal conditions:** the experiments differ in device." in text
    assert "5.0 ± 0.0" not in text
    write_comparison([make_exclusive(shared_seeds=[10]), make_exclusive(**FEWER)], tmp_path / "some")
    assert "| cifar-plain8-w8 | 5.0 ± 0.0 | 5.0 ± 0.0 |" in read_page(tmp_path / "some")


def test_experiments_of_one_name_are_numbered_and_their_unequal_networks_separated(quickstart, tmp_path):
    def labelled(widths, **changes):
        variants = [{"name": "cifar-resnet8", "label": "mine", "set": {"widths": widths}}]
        return make_results(make_study(variants=variants, contrasts=[], **changes))

    write_comparison([labelled([8, 16, 32]), labelled([16, 16, 32])], tmp_path / "twice")
    text = read_page(tmp_path / "twice")
    assert "This report compares 2 experiments: quickstart (1) and quickstart (2)." in text
    assert "| mine (quickstart (1)) |" in text and "| mine (quickstart (2)) |" in text


def test_write_comparison_removes_old_tables_and_keeps_files_of_users(quickstart, written, tmp_path):
    directory = tmp_path / "both"
    shutil.copytree(written, directory)
    (directory / "results" / "mine.csv").write_text("mine")
    write_comparison(read_comparison(written)[:2], directory)
    assert {p.name for p in (directory / "results").iterdir()} == {"1-quickstart.csv", "2-fewer.csv", "mine.csv"}
    with pytest.raises(HarnessError, match="not that of a table of the report") as caught:
        read_comparison(directory)
    assert caught.value.where.endswith("mine.csv")


def test_write_comparison_of_empty_or_equal_results_is_refused_before_writing(quickstart, tmp_path):
    empty = Results(quickstart.study, quickstart.epochs.iloc[:0])
    with pytest.raises(HarnessError, match="no trial of 'quickstart' is recorded"):
        write_comparison([quickstart, empty], tmp_path / "x")
    with pytest.raises(HarnessError, match="are given twice"):
        write_comparison([quickstart, quickstart], tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_report_of_one_kind_never_replaces_another_kind(quickstart, written, tmp_path):
    write_report(quickstart, tmp_path / "quickstart")
    with pytest.raises(HarnessError, match="already contains the report of an experiment"):
        write_comparison(read_comparison(written), tmp_path / "quickstart")
    shutil.copytree(written, tmp_path / "both")
    before = read_files(tmp_path / "both")
    with pytest.raises(HarnessError, match="already contains a report over several experiments"):
        write_report(quickstart, tmp_path / "both")
    assert read_files(tmp_path / "both") == before
    (tmp_path / "both" / "figures").rename(tmp_path / "moved")
    (tmp_path / "both" / "figures").symlink_to(tmp_path / "moved")
    with pytest.raises(HarnessError, match="not written through a link"):
        write_comparison(read_comparison(written), tmp_path / "both")
