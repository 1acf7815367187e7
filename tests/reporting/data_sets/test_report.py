"""The report over several data sets: its files, its page, and its results.csv."""

import re

import pandas as pd
import pytest
from data_sets_helpers import DEGRADED, make_data_sets_results, make_data_sets_study
from reporting_helpers import TWO_VARIANTS, make_results, make_study, read_files

from harness.errors import HarnessError
from harness.reporting.data_sets.effects import build_components_over_data
from harness.reporting.data_sets.forest_plot import MEAN_ROW, NEXT_ROW, draw_forest_plot
from harness.reporting.data_sets.page import build_page_content
from harness.reporting.data_sets.report import write_experiment_report
from harness.reporting.data_sets.verdicts import decide_data_sets
from harness.reporting.index import rebuild_reports
from harness.reporting.page.template import render_template
from harness.specs import load_experiment
from harness.tracking.results_csv import read_csv, write_csv

MOST_WORDS = 900


@pytest.fixture(scope="module")
def small():
    """One contrast between two variants, which needs few figures."""
    return make_data_sets_results({"plain8": 5.0}, {"plain8": 5.0}, study=make_data_sets_study(**TWO_VARIANTS))


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    directory = tmp_path_factory.mktemp("reports") / "quickstart"
    write_experiment_report(small, directory)
    return directory


@pytest.fixture(scope="module")
def page(agreeing):
    return render(agreeing)


def test_report_has_a_forest_plot_and_a_page_for_each_data_set(written):
    files = read_files(written)
    assert {"README.md", "results.csv", "experiment.yaml", "figures/forest-1.svg", "figures/forest-1.png"} <= set(files)
    for name in ("digits", "fashion-mnist"):
        assert {f"data-sets/{name}/README.md", f"data-sets/{name}/figures/variants.svg"} <= set(files)


def test_links_of_all_pages_lead_to_files(written):
    for path in written.rglob("README.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path}: {link}"


def test_page_says_on_how_many_data_sets_the_contrast_holds(page):
    assert "**Depth degradation from depth 8 to 32: supported on 2 of 2 data sets.**" in page
    assert "| **Depth degradation from depth 8 to 32** | **supported** | **supported** |  | **2 of 2** |" in page


def test_caption_names_a_margin_only_where_the_contrast_has_one(page, small):
    assert "; the dotted line is the margin.*" in page
    assert "margin" not in render(small).partition("## Figures")[2].partition("## ")[0]


def test_page_says_that_two_data_sets_say_little_about_others(page):
    assert "2 data sets say little about others" in page
    assert "reaches 12.7 standard errors to each side" in page


def test_page_names_the_data_set_of_each_cost(page):
    costs = [line for line in page.splitlines() if line.startswith(("| digits | cifar", "| fashion-mnist | cifar"))]
    assert len(costs) == 12
    macs = {tuple(line.split(" | ")[:2]): line.split(" | ")[3] for line in costs}
    assert macs["| digits", "cifar-plain8-w8"] != macs["| fashion-mnist", "cifar-plain8-w8"]


def test_page_has_few_words_outside_of_its_folded_parts(page):
    unfolded = re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)
    assert len(unfolded.split()) <= MOST_WORDS


def test_interval_that_is_wider_than_the_scale_is_not_known():
    results = make_data_sets_results({"plain32": 80.0}, {"plain32": 5.0})
    page = render(results)
    assert "not known" in page


def render(results):
    several = decide_data_sets(results)
    infos = {info.title: info for info in results.study.data_sets}
    components = [build_components_over_data(verdicts, infos) for verdicts in several]
    return render_template("data_sets.md.j2", build_page_content(results, several, components, "data-sets"))


def test_forest_plot_has_a_row_for_each_data_set_their_mean_and_the_next_one(differing):
    from matplotlib.figure import Figure

    (several,) = decide_data_sets(differing)
    infos = {info.title: info for info in differing.study.data_sets}
    figure = Figure()
    draw_forest_plot(figure, build_components_over_data(several, infos))
    for axes in figure.axes:
        assert [label.get_text() for label in axes.get_yticklabels()] == [*infos, MEAN_ROW, NEXT_ROW]
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    assert "claimed outcome on 1 of 2 data sets" in titles[0]
    # An interval that leaves the axis ends in an arrow.
    assert any(line.get_marker() in "<>" for line in figure.axes[0].lines)


def test_page_of_a_data_set_without_trials_says_so():
    page = render(make_data_sets_results(DEGRADED, None))
    assert "supported on 1 of 2 data sets, undecided on fashion-mnist" in page
    assert "48 declared trials are not recorded." in page
    assert "data-sets/fashion-mnist/README.md" not in page


def test_page_without_contrasts_says_that_there_is_no_verdict():
    page = render(make_data_sets_results({}, {}, study=make_data_sets_study(contrasts=[])))
    assert "No contrast is declared, so there is no verdict." in page


def test_report_is_rebuilt_from_its_own_table_with_equal_bytes_and_an_index(written):
    before = read_files(written)
    rebuild_reports(written.parent)
    assert read_files(written) == before
    index = (written.parent / "README.md").read_text()
    assert "of 2 data sets" in index
    assert "32 trials of 2 variants on digits and fashion-mnist" in index


def test_experiment_of_the_report_runs_again_on_the_same_data_sets(written, small):
    experiment, _ = load_experiment(written / "experiment.yaml")
    assert [spec.name for spec in experiment.data_sets] == ["digits", "fashion-mnist"]
    assert experiment == small.study.experiment


def test_table_names_the_data_set_of_each_trial(written, small):
    table = pd.read_csv(written / "results.csv")
    names = {trial.id: trial.data.name for trial in small.study.trials}
    assert list(table.columns[:3]) == ["trial", "data", "variant"]
    assert (table["data"] == table["trial"].map(names)).all()


def test_table_of_one_data_set_has_no_column_for_it(tmp_path):
    write_csv(make_results(make_study()), tmp_path / "results.csv")
    assert "data" not in pd.read_csv(tmp_path / "results.csv").columns


def test_final_of_several_data_sets_has_the_chance_error_of_each():
    study = make_data_sets_study()
    results = make_data_sets_results({}, {}, study=study)
    epochs = results.epochs.copy()
    epochs["outcome"] = "diverged"
    final = type(results)(study, epochs).final
    errors = final.groupby("data")["train/error_clean"].unique()
    assert errors["digits"].tolist() == [90.0]
    assert errors["fashion-mnist"].tolist() == [80.0]


@pytest.mark.parametrize("name", ["", "cifar10"])
def test_row_that_names_no_data_set_is_refused(written, tmp_path, name):
    table = pd.read_csv(written / "results.csv", dtype=str, keep_default_na=False)
    table.loc[5, "data"] = name
    table.to_csv(tmp_path / "results.csv", index=False)
    with pytest.raises(HarnessError, match="names none of the data sets digits, fashion-mnist") as caught:
        read_csv(tmp_path / "results.csv")
    assert "row 7, data" in caught.value.where


def test_table_without_the_column_of_data_sets_is_refused(written, tmp_path):
    pd.read_csv(written / "results.csv").drop(columns="data").to_csv(tmp_path / "results.csv", index=False)
    with pytest.raises(HarnessError, match="names none of the data sets"):
        read_csv(tmp_path / "results.csv")


def test_trial_of_another_data_set_under_a_variant_and_seed_is_refused(written, tmp_path):
    table = pd.read_csv(written / "results.csv", dtype=str, keep_default_na=False)
    table.loc[table["data"] == "fashion-mnist", "data"] = "digits"
    table.to_csv(tmp_path / "results.csv", index=False)
    with pytest.raises(HarnessError, match=r"another trial has the same variant and seed|unlike networks"):
        read_csv(tmp_path / "results.csv")


def test_report_without_trials_is_refused(tmp_path):
    with pytest.raises(HarnessError, match="no trial of 'quickstart' is recorded"):
        write_experiment_report(make_data_sets_results(None, None), tmp_path / "x")
