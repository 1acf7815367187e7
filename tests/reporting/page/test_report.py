"""The report as files: complete, the same bytes for the same results, and safe against what users write."""

import re
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.reporting.figures.report_figures import draw_figures
from harness.reporting.formatting import format_count, format_number, format_p
from harness.reporting.page.report import render_report, write_report
from harness.reporting.page.tables import format_training_seconds
from harness.reporting.verdicts.decision import decide_contrasts
from harness.text import escape_markdown
from harness.tracking.results_csv import read_csv
from harness.tracking.results_table import Results

DRAWN = ("depth", "costs", "effects", "curves", "layers", "gradients")
FILES = {
    "README.md",
    "results.csv",
    "experiment.yaml",
    *(f"figures/{name}.{suffix}" for name in DRAWN for suffix in ("svg", "png")),
}


def content(directory):
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def text_of(results):
    return render_report(results, decide_contrasts(results), DRAWN).replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def written(quickstart, tmp_path_factory):
    directory = tmp_path_factory.mktemp("reports") / "quickstart"
    write_report(quickstart, directory)
    return directory


def test_what_is_written(written):
    files = content(written)
    assert set(files) == FILES
    readme = files["README.md"].decode()
    linked = re.findall(r"\]\((figures/[^)]+)\)", readme)
    assert linked == [f"figures/{name}.svg" for name in DRAWN]
    headings = re.findall(r"^#+ (.*)$", readme, flags=re.M)
    assert headings == [
        "quickstart",
        "Verdict",
        "Variants",
        "Contrasts",
        "Exploratory: error against depth",
        "Training curves",
        "Gradients and responses",
        "Failures and missing trials",
        "What this does not show",
        "Reproduce",
        "Provenance",
    ]
    assert "harness run reports/quickstart/experiment.yaml" in readme
    assert "shared device: not a measurement to compare by" in readme
    assert str(written.parent) not in readme


def test_the_same_results_give_the_same_bytes(written, quickstart, tmp_path):
    write_report(quickstart, tmp_path / "again")
    assert content(tmp_path / "again") == content(written)


def test_results_csv_alone_gives_the_same_bytes(written, tmp_path):
    write_report(read_csv(written / "results.csv"), tmp_path / "from-csv")
    assert content(tmp_path / "from-csv") == content(written)


def test_numbers_stand_in_the_variant_table(quickstart):
    final = quickstart.final
    mine = final[final["variant"] == "cifar-plain32-w8"]["train/error_clean"]
    assert f"{mine.mean():.2f} ± {mine.std():.2f}" in text_of(quickstart)


@pytest.mark.parametrize("n", [1, 3, 5, 8])
def test_no_empty_value_is_spelled_out(study, planted, n):
    s = study(seeds=list(range(n)))
    results = planted(s, diverged=[("cifar-plain32-w8", 0)], missing=[("cifar-resnet8-w8", n - 1)])
    text = text_of(results)
    assert not re.search(r"\b(nan|NaN|None|inf|NaT|-inf)\b", text)
    assert "cifar-plain32-w8 seed 0" in text
    assert f"cifar-resnet8-w8 seed {n - 1}" in text


def test_preview_prints_no_inference(study, planted):
    s = study(seeds=[0, 1, 2])
    text = text_of(planted(s))
    assert "preview with no inference" in text
    assert "p = " not in text
    assert not re.search(r"\[\d+\.\d", text.partition("## Contrasts")[0])


def test_agreeing_seeds_show_the_interval_over_images(study, planted):
    s = study()
    text = text_of(planted(s, {v.name: [0.0] * 8 for v in s.variants}))
    assert "0.00 ± 0.00<br>[0.00 to 0.26] ‡" in text
    assert "exact binomial interval" in text


def test_limits_are_of_the_seeds_that_are_recorded(study, planted):
    results = planted(study(), missing=[("cifar-plain8-w8", seed) for seed in range(13, 18)])
    text = text_of(results)
    assert "- 3 seeds: too few for any claim; 8 are needed." in text


def test_p_of_many_pairs_is_of_a_sample_of_the_flips(study, planted):
    text = text_of(planted(study(seeds=list(range(24)))))
    assert "100,000 random flips" in text and "at 24 pairs none can be below 1.0e-05" in text


def test_mixed_conditions_are_flagged_and_their_times_not_averaged(study, planted):
    results = planted(study(), provenance={("cifar-plain8-w8", 12): {"device": "NVIDIA H200"}})
    text = text_of(results)
    assert "**Mixed conditions:** the trials differ in device" in text
    assert "| 189,248 | mixed conditions |" in text


def test_a_failed_cell_and_the_verdict_without_it(study, planted):
    text = text_of(planted(study(seeds=list(range(10))), diverged=[("cifar-plain32-w8", 3)]))
    assert "1 diverged (loss not finite), kept at chance error, 90.00 %: cifar-plain32-w8 seed 3." in text
    assert "Without the seeds of diverged trials (supported)" in text


def test_users_text_is_shown_literally(study, planted):
    evil = "<script>alert(1)</script> | **bold** [x](javascript:y) `code` # h\n\n## Forged heading\n> **Supported**"
    s = study(
        question=evil,
        notes=evil,
        variants=[{"name": "resnet18", "label": "a|b<img src=x>$^$"}, {"name": "plain18"}],
        contrasts=[{"kind": "difference", "a": "a|b<img src=x>$^$", "b": "plain18"}],
    )
    results = planted(s)
    text = text_of(results)
    for forbidden in ("<script", "<img", "**bold**", "\n## Forged", "`code`"):
        assert forbidden not in text
    assert r"\[x\](javascript:y)" in text
    row = next(line for line in text.splitlines() if line.startswith("| a\\|b&lt;img"))
    header = next(line for line in text.splitlines() if line.startswith("| Variant | Depth"))
    assert len(re.findall(r"(?<!\\)\|", row)) == len(re.findall(r"(?<!\\)\|", header))
    assert set(draw_figures(results)) == {"variants", "curves", "layers", "gradients"}


def test_figures_without_data_are_left_out(study, planted):
    results = planted(study(seeds=[0]), gradients=False)
    assert set(draw_figures(results)) == {"depth", "costs", "curves"}


def test_figures_carry_no_date_and_no_version(written):
    for name, data in content(written / "figures").items():
        assert b"Matplotlib" not in data and b"matplotlib.org" not in data, name
        assert b"<dc:date>" not in data
        assert b"<text" not in data  # Fonts as paths: the same on every machine.


def test_stale_figures_go_and_a_users_files_stay(study, planted, tmp_path):
    (tmp_path / "figures").mkdir()
    for name in ("variants.svg", "gradients.png", "mine.svg"):
        (tmp_path / "figures" / name).write_text("old")
    write_report(planted(study(seeds=[0]), gradients=False), tmp_path)
    names = {p.name for p in (tmp_path / "figures").iterdir()}
    assert names == {
        f"{name}.{suffix}" for name in ("depth", "costs", "effects", "curves") for suffix in ("svg", "png")
    } | {"mine.svg"}
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_an_empty_record_is_refused(quickstart, tmp_path):
    empty = Results(quickstart.study, quickstart.epochs.iloc[:0])
    with pytest.raises(HarnessError, match="no trial of 'quickstart' is recorded") as caught:
        write_report(empty, tmp_path / "x")
    assert caught.value.remedy == "Run `harness run quickstart` first."
    assert not (tmp_path / "x").exists()
    assert decide_contrasts(empty)[0].state == "undecided"


def test_times_of_other_devices_are_never_one_number(quickstart):
    """One of a variant's trials was on two devices of the same kind, which halves its time and nobody's else."""
    mine = quickstart.final[quickstart.final["variant"] == quickstart.study.variants[0].name].copy()
    assert "±" in format_training_seconds(mine)
    first = mine.index[0]
    mine.loc[first, "device"] = f"2 x {mine.loc[first, 'device']}"
    assert format_training_seconds(mine) == "mixed conditions"


def test_a_file_in_the_way_is_refused_before_any_work(quickstart, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="not a directory"):
        write_report(quickstart, tmp_path / "file" / "report")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a directory that not even root can write to")
def test_an_unwritable_directory_is_refused_before_any_work(quickstart, monkeypatch):
    monkeypatch.setattr("harness.reporting.page.report.decide_contrasts", lambda _: pytest.fail("it went to work"))
    with pytest.raises(HarnessError) as caught:
        write_report(quickstart, Path("/proc/depthbench"))
    assert "directory" in caught.value.remedy


def test_a_failure_halfway_leaves_the_old_report(quickstart, written, monkeypatch, tmp_path):
    (tmp_path / "README.md").write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(HarnessError, match="No space left"):
        write_report(quickstart, tmp_path)
    assert content(tmp_path) == {"README.md": b"old"}


def test_wording():
    assert (format_number(-0.001), format_number(1234.5, 1), format_number(-2.0), format_number(None), format_number(float("nan"))) == (
        "0.00", "1,234.5", "−2.00", "–", "–",
    )  # fmt: skip
    assert (format_p(1 / 256), format_p(1.0), format_p(1e-5), format_p(None)) == ("0.00391", "1", "1.0e-05", "–")
    assert (format_count(116738), format_count(1_074_000), format_count(4.1e9), format_count(25.6e6)) == (
        "116,738",
        "1.07 M",
        "4.10 G",
        "25.6 M",
    )
    assert escape_markdown("1. a_b _c_ 0.05 #1 @me") == "1\\. a_b \\_c\\_ 0.05 \\#1 &#64;me"
    assert escape_markdown("- x\n- y") == "\\- x - y"
