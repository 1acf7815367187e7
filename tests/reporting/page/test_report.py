"""The report of one experiment: complete, equal bytes for equal results, and safe against the text of users."""

import re
from pathlib import Path

import pytest
from reporting_helpers import make_results, make_study, read_files

from harness.errors import HarnessError
from harness.reporting.figures.report_figures import draw_figures
from harness.reporting.page.report import render_report, write_report
from harness.reporting.page.tables import format_training_seconds
from harness.reporting.verdicts.decision import decide_contrasts
from harness.tracking.results_csv import read_csv
from harness.tracking.results_table import Results

FIGURES = ("depth", "costs", "effects", "curves", "layers", "gradients")
FILES = {
    "README.md",
    "results.csv",
    "experiment.yaml",
    *(f"figures/{name}.{suffix}" for name in FIGURES for suffix in ("svg", "png")),
}


def text_of(results):
    return render_report(results, decide_contrasts(results), FIGURES).replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def written(quickstart, tmp_path_factory):
    directory = tmp_path_factory.mktemp("reports") / "quickstart"
    write_report(quickstart, directory)
    return directory


def test_report_holds_all_files_figures_and_sections(written):
    files = read_files(written)
    assert set(files) == FILES
    readme = files["README.md"].decode()
    linked = re.findall(r"\]\((figures/[^)]+)\)", readme)
    assert linked == [f"figures/{name}.svg" for name in ("depth", "effects", "curves", "costs", "layers", "gradients")]
    headings = re.findall(r"^#+ (.*)$", readme, flags=re.M)
    assert headings == [
        "quickstart",
        "Figures",
        "Details",
        "Reproduce",
    ]
    assert re.findall(r"<summary>(.*)</summary>", readme) == [
        "Contrasts in full",
        "Errors of all variants",
        "Costs",
        "Exploratory: error against depth",
        "Gradients and responses",
        "Failures and missing trials",
        "Limitations",
        "Provenance",
        "Recipe",
        "Trial ids, by seed",
    ]
    assert "harness run reports/quickstart/experiment.yaml" in readme
    assert "† The device was shared, so this time must not be used to compare variants." in readme
    assert str(written.parent) not in readme


def test_report_of_equal_results_has_equal_bytes(written, quickstart, tmp_path):
    write_report(quickstart, tmp_path / "again")
    assert read_files(tmp_path / "again") == read_files(written)


def test_report_from_its_results_csv_has_equal_bytes(written, tmp_path):
    write_report(read_csv(written / "results.csv"), tmp_path / "from-csv")
    assert read_files(tmp_path / "from-csv") == read_files(written)


def test_variant_table_shows_mean_and_standard_deviation(quickstart):
    final = quickstart.final
    trials = final[final["variant"] == "cifar-plain32-w8"]["train/error_clean"]
    assert f"{trials.mean():.2f} ± {trials.std():.2f}" in text_of(quickstart)


@pytest.mark.parametrize("n", [1, 3, 5, 8])
def test_report_with_missing_values_never_prints_nan_or_none(n):
    study = make_study(seeds=list(range(n)))
    results = make_results(study, diverged=[("cifar-plain32-w8", 0)], missing=[("cifar-resnet8-w8", n - 1)])
    text = text_of(results)
    assert not re.search(r"\b(nan|NaN|None|inf|NaT|-inf)\b", text)
    assert "cifar-plain32-w8 seed 0" in text
    assert f"cifar-resnet8-w8 seed {n - 1}" in text


def test_report_below_five_seeds_shows_no_intervals_and_no_p():
    study = make_study(seeds=[0, 1, 2])
    text = text_of(make_results(study))
    assert "preview with no inference" in text
    assert "p = " not in text
    assert not re.search(r"\[\d+\.\d", text.partition("## Contrasts")[0])


def test_agreeing_seeds_show_the_interval_over_test_images():
    study = make_study()
    text = text_of(make_results(study, test_errors={v.name: [0.0] * 8 for v in study.variants}))
    assert "0.00 ± 0.00<br>[0.00 to 1.02] ‡" in text
    assert "exact binomial interval" in text


def test_agreeing_seeds_show_no_interval_over_memorised_training_images():
    study = make_study()
    text = text_of(make_results(study, {v.name: [0.0] * 8 for v in study.variants}))
    assert "0.00 ± 0.00" in text
    assert "‡" not in text


def test_limitations_count_recorded_seeds_only():
    results = make_results(make_study(), missing=[("cifar-plain8-w8", seed) for seed in range(13, 18)])
    text = text_of(results)
    assert "- 3 seeds: too few for any claim; 8 are needed." in text


def test_p_of_more_than_twenty_pairs_is_from_random_flips():
    text = text_of(make_results(make_study(seeds=list(range(24)))))
    assert "100,000 random flips" in text and "With 24 pairs, no p is below 1.0e-05" in text


def test_mixed_conditions_are_named_and_their_times_not_averaged():
    results = make_results(make_study(), provenance={("cifar-plain8-w8", 12): {"device": "NVIDIA H200"}})
    text = text_of(results)
    assert "**Mixed conditions:** the trials differ in device" in text
    assert "| 189,248 | mixed conditions |" in text


def test_diverged_trial_is_named_and_its_verdict_shown_without_it():
    text = text_of(make_results(make_study(seeds=list(range(10))), diverged=[("cifar-plain32-w8", 3)]))
    assert "1 diverged (the loss was not finite) and counts at chance error, 90.00 %: cifar-plain32-w8 seed 3." in text
    assert "Without diverged seeds and untrained variants the verdict is: supported." in text


def test_markup_in_the_text_of_users_is_shown_literally():
    markup = "<script>alert(1)</script> | **bold** [x](javascript:y) `code` # h\n\n## Forged heading\n> **Supported**"
    study = make_study(
        question=markup,
        notes=markup,
        variants=[{"name": "resnet18", "label": "a|b<img src=x>$^$"}, {"name": "plain18"}],
        contrasts=[{"kind": "difference", "a": "a|b<img src=x>$^$", "b": "plain18"}],
    )
    results = make_results(study)
    text = text_of(results)
    for forbidden in ("<script", "<img", "**bold**", "\n## Forged", "`code`"):
        assert forbidden not in text
    assert r"\[x\](javascript:y)" in text
    row = next(line for line in text.splitlines() if line.startswith("| a\\|b&lt;img") and "−" not in line)
    header = next(line for line in text.splitlines() if line.startswith("| Variant | Depth"))
    assert len(re.findall(r"(?<!\\)\|", row)) == len(re.findall(r"(?<!\\)\|", header))
    assert set(draw_figures(results)) == {"variants", "curves", "layers", "gradients"}


def test_draw_figures_leaves_out_figures_without_data():
    results = make_results(make_study(seeds=[0]), gradients=False)
    assert set(draw_figures(results)) == {"depth", "costs", "curves"}


def test_figures_hold_no_date_no_version_and_no_font(written):
    for name, data in read_files(written / "figures").items():
        assert b"Matplotlib" not in data and b"matplotlib.org" not in data, name
        assert b"<dc:date>" not in data
        # Letters are paths, which look the same on every machine.
        assert b"<text" not in data


def test_write_report_removes_old_figures_and_keeps_files_of_users(tmp_path):
    (tmp_path / "figures").mkdir()
    for name in ("variants.svg", "gradients.png", "trials.svg"):
        (tmp_path / "figures" / name).write_text("old")
    write_report(make_results(make_study(seeds=[0]), gradients=False), tmp_path)
    names = {p.name for p in (tmp_path / "figures").iterdir()}
    assert names == {
        f"{name}.{suffix}" for name in ("depth", "costs", "effects", "curves") for suffix in ("svg", "png")
    } | {"trials.svg"}
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_write_report_without_trials_is_refused(quickstart, tmp_path):
    empty = Results(quickstart.study, quickstart.epochs.iloc[:0])
    with pytest.raises(HarnessError, match="no trial of 'quickstart' is recorded") as caught:
        write_report(empty, tmp_path / "x")
    assert caught.value.remedy == "Run `harness run quickstart` first."
    assert not (tmp_path / "x").exists()
    assert decide_contrasts(empty)[0].state == "undecided"


def test_training_seconds_on_unequal_devices_are_not_averaged(quickstart):
    """A trial on two devices takes half the time, so it must not be averaged with the others."""
    trials = quickstart.final[quickstart.final["variant"] == quickstart.study.variants[0].name].copy()
    assert "±" in format_training_seconds(trials)
    first = trials.index[0]
    trials.loc[first, "device"] = f"2 x {trials.loc[first, 'device']}"
    assert format_training_seconds(trials) == "mixed conditions"


def test_write_report_where_a_file_blocks_the_directory_is_refused(quickstart, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="not a directory"):
        write_report(quickstart, tmp_path / "file" / "report")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a directory that not even root can write to")
def test_write_report_into_an_unwritable_directory_is_refused_before_any_work(quickstart, monkeypatch):
    monkeypatch.setattr(
        "harness.reporting.page.report.decide_contrasts", lambda _: pytest.fail("verdicts were computed")
    )
    with pytest.raises(HarnessError) as caught:
        write_report(quickstart, Path("/proc/depthbench"))
    assert "directory" in caught.value.remedy


def test_write_report_on_a_full_disk_leaves_the_old_report(quickstart, written, monkeypatch, tmp_path):
    (tmp_path / "README.md").write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(HarnessError, match="No space left"):
        write_report(quickstart, tmp_path)
    assert read_files(tmp_path) == {"README.md": b"old"}
