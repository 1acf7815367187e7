"""What a report says of each variant for its run in MLflow: the numbers of the report's own tables."""

import pytest
from scipy import stats

from harness.reporting.page.mlflow_descriptions import describe_variants
from harness.reporting.page.report import render_report
from harness.reporting.verdicts.decision import decide_contrasts

NAME = "cifar-plain20-w8"


def test_numbers_are_those_of_scipy(quickstart):
    said = describe_variants(quickstart)
    assert list(said) == [variant.name for variant in quickstart.study.variants]
    final = quickstart.final
    errors = final.loc[final["variant"] == NAME, "test/error"]
    low, high = stats.t.interval(0.95, 7, errors.mean(), stats.sem(errors))
    numbers = said[NAME].metrics
    assert numbers["seeds/sd_test_error"] == pytest.approx(errors.std(ddof=1), rel=1e-12)
    assert (numbers["seeds/low_test_error"], numbers["seeds/high_test_error"]) == pytest.approx((low, high), rel=1e-12)
    assert not any(key.startswith("bench/") for key in numbers)


def test_the_text_holds_the_cells_of_the_report(quickstart):
    text = describe_variants(quickstart)[NAME].text
    report = render_report(quickstart, decide_contrasts(quickstart), [])
    (row,) = [line for line in report.splitlines() if line.startswith(f"| {NAME} | 20 ")]
    cells = row.split(" | ")[4:]
    assert len(cells) == 3
    for cell in cells:
        assert cell.strip(" |").replace("<br>", ", ") in text
    # The times of the planted trials are of a shared device, and no interval is over images.
    first, *_, last = text.splitlines()
    assert last.startswith("† ") and "‡" not in text
    assert first == (
        "**cifar-plain20-w8**: plain network of depth 20, family cifar-resnet, on digits. "
        "8 of 8 seeds recorded; 10 epochs."
    )


def test_measured_costs_stand_there_where_they_were_measured(quickstart):
    from dataclasses import replace

    epochs = quickstart.epochs.copy()
    mine = epochs["variant"] == NAME
    measured = {"bench/latency_s": 0.002, "bench/latency_sd_s": 0.0001, "bench/step_s": 0.05, "bench/step_sd_s": 0.001}
    for key, value in (measured | {"bench/peak_bytes": 2.0**28, "bench/latency_n": 5, "bench/step_n": 5}).items():
        epochs.loc[mine, key] = value
    said = describe_variants(replace(quickstart, epochs=epochs))
    assert said[NAME].metrics["bench/latency_s"] == 0.002
    assert said[NAME].metrics["bench/peak_bytes"] == 2**28
    assert "| Peak memory (MiB) | 256 |" in said[NAME].text
    assert "bench/latency_s" not in said["cifar-resnet20-w8"].metrics


def test_few_seeds_diverged_and_missing_ones(study, planted):
    few = study(seeds=[10, 11, 12])
    said = describe_variants(planted(few, diverged=[(NAME, 11)], missing=[("cifar-plain8-w8", 12)]))
    assert "3 of 3 seeds recorded, 1 of them diverged (at chance error)" in said[NAME].text
    assert "2 of 3 seeds recorded" in said["cifar-plain8-w8"].text
    # No interval below five seeds, as in the report.
    assert "seeds/sd_test_error" in said[NAME].metrics
    assert not any(key.startswith(("seeds/low", "seeds/high")) for one in said.values() for key in one.metrics)
    absent = [("cifar-plain8-w8", seed) for seed in (10, 11, 12)]
    assert "cifar-plain8-w8" not in describe_variants(planted(few, missing=absent))


def test_seeds_that_agree_get_the_interval_over_images(study, planted):
    agreeing = study()
    tests = {variant.name: [0.0] * 8 for variant in agreeing.variants}
    said = describe_variants(planted(agreeing, test_errors=tests))[NAME]
    numbers = said.metrics
    assert "\n‡ All seeds agree" in said.text
    assert (numbers["seeds/sd_test_error"], numbers["seeds/low_test_error"]) == (0, 0)
    assert numbers["seeds/high_test_error"] == pytest.approx(100 * (1 - 0.025 ** (1 / 359)), rel=1e-9)


def test_names_of_users_are_shown_literally(study, planted):
    changed = study(variants=["cifar-resnet8", {"name": "cifar-plain8", "label": "a|b <i>"}], contrasts=[])
    said = describe_variants(planted(changed))
    assert said["a|b <i>"].text.startswith("**a\\|b &lt;i&gt;**: plain network")
