"""The description of a variant's run in MLflow has the numbers of the report's tables."""

import pytest
from reporting_helpers import make_results, make_study
from scipy import stats

from harness.reporting.page.mlflow_descriptions import describe_experiment, describe_variants
from harness.reporting.page.report import render_report
from harness.reporting.verdicts.decision import decide_contrasts

NAME = "cifar-plain20-w8"


def test_metrics_of_a_variant_equal_those_of_scipy(quickstart):
    descriptions = describe_variants(quickstart, [])
    assert list(descriptions) == [variant.name for variant in quickstart.study.variants]
    final = quickstart.final
    errors = final.loc[final["variant"] == NAME, "test/error"]
    low, high = stats.t.interval(0.95, 7, errors.mean(), stats.sem(errors))
    numbers = descriptions[NAME].metrics
    assert numbers["seeds/sd_test_error"] == pytest.approx(errors.std(ddof=1), rel=1e-12)
    assert (numbers["seeds/low_test_error"], numbers["seeds/high_test_error"]) == pytest.approx((low, high), rel=1e-12)
    assert not any(key.startswith("bench/") for key in numbers)


def test_description_has_the_cells_of_the_report(quickstart):
    text = describe_variants(quickstart, [])[NAME].text
    report = render_report(quickstart, decide_contrasts(quickstart), [])
    (row,) = [line for line in report.splitlines() if line.startswith(f"| {NAME} | 20 ")]
    cells = row.split(" | ")[4:]
    assert len(cells) == 3
    for cell in cells:
        assert cell.strip(" |").replace("<br>", ", ") in text
    # All planted trials shared their device, and no interval is over images.
    first, *_, last = text.splitlines()
    assert last.startswith("† ") and "‡" not in text
    assert first == (
        "**cifar-plain20-w8**: plain network of depth 20, family cifar-resnet, on digits. "
        "8 of 8 seeds recorded; 10 epochs."
    )


def test_measured_costs_are_shown_for_the_measured_variant_only(quickstart):
    from dataclasses import replace

    epochs = quickstart.epochs.copy()
    mine = epochs["variant"] == NAME
    measured = {"bench/latency_s": 0.002, "bench/latency_sd_s": 0.0001, "bench/step_s": 0.05, "bench/step_sd_s": 0.001}
    for key, value in (measured | {"bench/peak_bytes": 2.0**28, "bench/latency_n": 5, "bench/step_n": 5}).items():
        epochs.loc[mine, key] = value
    descriptions = describe_variants(replace(quickstart, epochs=epochs), [])
    assert descriptions[NAME].metrics["bench/latency_s"] == 0.002
    assert descriptions[NAME].metrics["bench/peak_bytes"] == 2**28
    assert "| Peak memory (MiB) | 256 |" in descriptions[NAME].text
    assert "bench/latency_s" not in descriptions["cifar-resnet20-w8"].metrics


def test_description_counts_diverged_and_missing_seeds():
    few = make_study(seeds=[10, 11, 12])
    descriptions = describe_variants(make_results(few, diverged=[(NAME, 11)], missing=[("cifar-plain8-w8", 12)]), [])
    assert "3 of 3 seeds recorded, 1 of them diverged (at chance error)" in descriptions[NAME].text
    assert "2 of 3 seeds recorded" in descriptions["cifar-plain8-w8"].text
    # No interval below five seeds, as in the report.
    assert "seeds/sd_test_error" in descriptions[NAME].metrics
    assert not any(key.startswith(("seeds/low", "seeds/high")) for one in descriptions.values() for key in one.metrics)
    absent = [("cifar-plain8-w8", seed) for seed in (10, 11, 12)]
    assert "cifar-plain8-w8" not in describe_variants(make_results(few, missing=absent), [])


def test_agreeing_seeds_have_the_interval_over_images():
    agreeing = make_study()
    tests = {variant.name: [0.0] * 8 for variant in agreeing.variants}
    descriptions = describe_variants(make_results(agreeing, test_errors=tests), [])[NAME]
    numbers = descriptions.metrics
    assert "\n‡ All seeds agree" in descriptions.text
    assert (numbers["seeds/sd_test_error"], numbers["seeds/low_test_error"]) == (0, 0)
    assert numbers["seeds/high_test_error"] == pytest.approx(100 * (1 - 0.025 ** (1 / 359)), rel=1e-9)


def test_markup_in_a_label_is_shown_literally():
    changed = make_study(variants=["cifar-resnet8", {"name": "cifar-plain8", "label": "a|b <i>"}], contrasts=[])
    descriptions = describe_variants(make_results(changed), [])
    assert descriptions["a|b <i>"].text.startswith("**a\\|b &lt;i&gt;**: plain network")


def test_descriptions_begin_with_the_two_lines_of_the_answer(quickstart):
    (verdict,) = verdicts = decide_contrasts(quickstart)
    first, *others = describe_experiment(quickstart, verdicts).split("\n\n")
    assert first == f"{quickstart.study.experiment.question} **{verdict.answer}** **{verdict.certainty}**"
    assert len(others) == 1 + len(verdict.remarks)
    variant = describe_variants(quickstart, verdicts)[NAME].text.split("\n\n")
    assert variant[1:3] == [f"**{verdict.answer}**", f"**{verdict.certainty}**"]
