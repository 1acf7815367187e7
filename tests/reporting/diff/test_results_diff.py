"""The diff of two results: planted changes are diff, noise is not, and unequal results are not compared."""

import numpy as np
import pytest
from reporting_helpers import INFO, make_results, make_study

from harness.errors import HarnessError
from harness.io.yaml_documents import Document
from harness.reporting.diff.diff_as_text import describe_diff, format_change_cells
from harness.reporting.diff.results_diff import compare_results
from harness.specs import Catalogue, resolve
from harness.specs.experiment.experiment import Experiment
from harness.tracking.results_table import Results

NAMES = [variant.name for variant in make_study().variants]


def _make_test_errors(study, shift=None, sd=0.6):
    """Return test errors with equal spread for every variant; some are shifted by a number of points."""
    seeds = len(study.experiment.seeds)
    made = {}
    for index, variant in enumerate(study.variants):
        noise = np.random.default_rng([index, 3]).normal(0, sd, seeds)
        made[variant.name] = list(5 + noise + (shift or {}).get(variant.name, 0.0))
    return made


def _results(shift=None, changes=None, is_exclusive=False, slowdown=1.0, jitter=1, **options):
    """Return results of the quickstart.

    Args:
        shift: Points by which a variant's test errors are shifted.
        changes: Replaced fields of the experiment.
        is_exclusive: Whether trials have their device to themselves.
        slowdown: Factor of all training times.
        jitter: Seed of the noise of training times.
    """
    study = make_study(**(changes or {}))
    if is_exclusive:
        given = options.get("provenance", {})
        trials = [(variant.name, seed) for variant in study.variants for seed in study.experiment.seeds]
        options["provenance"] = {trial: {"shared": False, **given.get(trial, {})} for trial in trials}
    results = make_results(study, test_errors=_make_test_errors(study, shift), **options)
    rng = np.random.default_rng(jitter)
    factors = {trial: slowdown * np.exp(rng.normal(0, 0.01)) for trial in results.epochs["trial"].unique()}
    results.epochs["time/train_s"] *= results.epochs["trial"].map(factors)
    return results


def states(diff):
    """Return the state of each variant's error by name."""
    return {change.variant: change.state for change in diff.errors}


def text_of(diff):
    """Return the sentences of a diff."""
    return "\n".join(describe_diff(diff))


def test_diff_of_equal_results_shows_no_change():
    diff = compare_results(_results(), _results())
    assert set(states(diff).values()) == {"no change shown"}
    assert not diff.regression
    assert "Test error, all variants: equal in every seed." in text_of(diff)
    assert "No regression beyond noise (6 comparisons tested" in text_of(diff)


def test_raised_error_is_worse_lowered_error_is_better_and_no_other_is_a_change():
    diff = compare_results(_results(), _results({NAMES[2]: 3.0, NAMES[3]: -1.0, NAMES[4]: 0.3}))
    assert states(diff) == {
        NAMES[0]: "no change shown", NAMES[1]: "no change shown", NAMES[2]: "worse", NAMES[3]: "better",
        NAMES[4]: "no change shown", NAMES[5]: "no change shown",
    }  # fmt: skip
    assert diff.regression
    rose = diff.errors[2]
    assert rose.effect == pytest.approx(3.0) and rose.p == 2 / 256 and rose.p_adjusted == pytest.approx(6 * 2 / 256)
    assert rose.method == "paired" and rose.n == 8
    assert f"Regression: {NAMES[2]} in test error (+3.00 points); better: {NAMES[3]}" in text_of(diff)
    assert format_change_cells(rose)[-1] == "worse" and format_change_cells(rose)[4] == "+3.00 points"


def test_significant_change_below_the_smallest_is_no_change():
    small = compare_results(_results(), _results({NAMES[4]: 0.3}))
    assert small.errors[4].p == 2 / 256 and not small.regression
    assert compare_results(_results(), _results({NAMES[4]: 0.3}), smallest=0.2).regression


@pytest.mark.slow
def test_noise_is_called_a_change_in_at_most_five_percent_of_diffs():
    """Holm's correction bounds the share of 200 diffs in which any of six variants is called changed."""
    study = make_study()
    old, new = make_results(study, gradients=False), make_results(study, gradients=False)
    rng, called = np.random.default_rng(11), 0
    last = old.epochs["epoch"] == 10
    for _ in range(200):
        for results in (old, new):
            results.epochs.loc[last, "test/error"] = 5 + rng.normal(0, 1, int(last.sum()))
        called += any(s != "no change shown" for s in states(compare_results(old, new, smallest=0.0)).values())
    assert called / 200 <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


@pytest.mark.parametrize("n", [1, 3, 5, 7])
def test_fewer_than_eight_seeds_are_not_tested(n):
    changes = {"seeds": list(range(n))}
    diff = compare_results(_results(None, changes), _results({NAMES[0]: 50.0}, changes))
    assert set(states(diff).values()) == {"not tested"} and not diff.regression
    assert f"Errors are not tested: n = {n} is too small" in text_of(diff)
    assert "because nothing could be tested" in text_of(diff)


def test_too_few_pairs_for_holms_correction_are_named():
    """With 8 pairs the smallest p is 2/256, and Holm's correction for 8 variants needs 0.05 / 8."""
    family = {"family": "cifar-resnet", "depth": [8, 14, 20, 26], "shortcut": ["none", "identity"],
              "set": {"widths": [8, 16, 32]}}  # fmt: skip
    changes = {"variants": [family], "contrasts": []}
    diff = compare_results(_results(None, changes), _results({"cifar-plain8-w8": 9.0}, changes))
    assert not diff.regression
    assert "No test can show a change of an error: with 8 pairs no two-sided p is below 0.00781" in text_of(diff)
    assert "9 seeds would be enough" in text_of(diff)


def test_common_seeds_are_paired_and_the_others_left_out():
    more = {"seeds": list(range(10, 20))}
    paired = compare_results(_results(), _results(None, more))
    assert {(c.method, c.n) for c in paired.errors} == {("paired", 8)}
    assert "2 trials without a partner left out" in text_of(paired)
    few = compare_results(_results(), _results({NAMES[2]: 5.0}, {"seeds": list(range(15, 25))}))
    assert {(c.method, c.n) for c in few.errors} == {("paired", 3)}
    assert set(states(few).values()) == {"not tested"}


def test_results_without_a_common_seed_are_compared_as_groups():
    others = compare_results(_results(), _results({NAMES[2]: 5.0}, {"seeds": list(range(50, 60))}))
    assert {(c.method, c.n) for c in others.errors} == {("welch", 8)}
    assert states(others)[NAMES[2]] == "worse"


def test_more_diverged_trials_are_worse_and_named():
    diff = compare_results(_results(), _results(diverged=[(NAMES[2], seed) for seed in range(10, 18)]))
    assert states(diff)[NAMES[2]] == "worse"
    assert "diverged trials, counted at chance error: 0 in OLD, 8 in NEW; no seed is left without them" in text_of(diff)
    one = compare_results(_results(), _results(diverged=[(NAMES[2], 12)]))
    assert states(one)[NAMES[2]] == "no change shown"
    assert "0 in OLD, 1 in NEW; without their seeds +0.00 points, n = 7" in text_of(one)


def test_variants_of_one_side_and_missing_trials_are_named():
    fewer = {"variants": [{"name": "cifar-resnet8", "set": {"widths": [8, 16, 32]}}, "cifar-plain8"], "contrasts": []}
    diff = compare_results(_results(), _results(None, fewer))
    assert diff.only_new == ("cifar-plain8",)
    assert set(diff.only_old) == set(NAMES) - {"cifar-resnet8-w8"}
    assert "Only in NEW: cifar-plain8." in text_of(diff)
    gone = compare_results(_results(), _results(missing=[(NAMES[1], seed) for seed in range(10, 18)]))
    assert f"Not recorded in OLD or in NEW, so not compared: {NAMES[1]}." in text_of(gone)


def test_changed_recipe_and_changed_network_are_compared_and_named():
    diff = compare_results(_results(), _results(None, {"recipe": {"epochs": 10, "batch": 128, "lr": 0.1}}))
    assert "The recipe changed: recipe.lr: 0.05 → 0.1." in text_of(diff)

    def labelled(widths):
        variants = [{"name": "cifar-resnet8", "label": "mine", "set": {"widths": widths}}]
        return _results(None, {"variants": variants, "contrasts": []})

    assert "its spec changed (widths: 8, 16, 32 → 16, 16, 32)" in text_of(
        compare_results(labelled([8, 16, 32]), labelled([16, 16, 32]))
    )


def test_unequal_data_is_refused():
    other = INFO.model_copy(update={"fingerprint": "ffffffffffff"})
    experiment = Experiment.model_validate(make_study().experiment.model_dump())
    study = resolve(experiment, Document("planted.yaml", {}), Catalogue.load(), other)
    with pytest.raises(HarnessError, match=r"unequal data.*fingerprint: 0a1b2c3d4e5f → ffffffffffff"):
        compare_results(_results(), make_results(study))
    with pytest.raises(HarnessError, match=r"data\.split_seed: 0 → 1"):
        compare_results(_results(), _results(None, {"data": {"name": "digits", "split_seed": 1}}))
    with pytest.raises(HarnessError, match="no variant in common"):
        compare_results(_results(), _results(None, {"variants": "cifar-resnet8", "contrasts": []}))


def test_error_that_is_not_measured_is_refused():
    with pytest.raises(HarnessError, match="not measured in both"):
        compare_results(_results(), _results(), metrics=("val/error",))


def test_results_without_trials_are_refused():
    results = _results()
    with pytest.raises(HarnessError, match="no trial of 'quickstart' is recorded"):
        compare_results(results, Results(results.study, results.epochs.iloc[:0]))


def test_longer_training_times_are_worse():
    diff = compare_results(_results(is_exclusive=True), _results(is_exclusive=True, slowdown=1.2, jitter=2))
    assert {change.state for change in diff.times} == {"worse"} and len(diff.times) == 6
    assert diff.times[0].effect == pytest.approx(20, abs=2) and diff.times[0].low > 15
    assert not compare_results(
        _results(is_exclusive=True), _results(is_exclusive=True, slowdown=1.03, jitter=2)
    ).regression
    assert format_change_cells(diff.times[0])[4] == f"+{diff.times[0].effect:.1f} %"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "no finished trial had its device to itself in OLD and NEW"),
        ({"device": "NVIDIA H200"}, "hardware, software or settings differ (device: Test CPU, 1 thread → NVIDIA H200)"),
        ({"software": "torch 3"}, "hardware, software or settings differ (software: torch 2.15.0"),
        ({"recipe": {"epochs": 10, "batch": 128, "lr": 0.1}}, "the recipe changed"),
        ({"execution": {"compile": True}}, "execution settings differ (execution.compile: False → True)"),
        ({"one": True}, "the trials of NEW differ in device"),
    ],
)
def test_times_under_unequal_conditions_are_not_compared(options, reason):
    changes = {key: options[key] for key in ("recipe", "execution") if key in options}
    other = {key: options[key] for key in ("device", "software") if key in options}
    provenance = {(name, seed): other for name in NAMES for seed in range(10, 18)}
    if "one" in options:
        provenance = {(name, 10): {"device": "another"} for name in NAMES}
    is_exclusive = bool(options)
    diff = compare_results(
        _results(is_exclusive=is_exclusive), _results(None, changes, is_exclusive, provenance=provenance)
    )
    assert not diff.times
    assert any(reason in line for line in diff.not_compared), diff.not_compared


def _with_latency(results, seconds, sd=0.00001, n=5):
    results.epochs["bench/latency_s"], results.epochs["bench/latency_sd_s"] = seconds, sd
    results.epochs["bench/latency_n"] = float(n)
    return results


def test_measured_costs_are_compared_over_processes():
    diff = compare_results(_with_latency(_results(), 0.001), _with_latency(_results(), 0.0012))
    assert {c.measure for c in diff.times} == {"bench/latency_s"}
    assert diff.times[0].effect == pytest.approx(20) and diff.times[0].state == "worse"
    assert diff.times[0].low < 20 < diff.times[0].high
    few = compare_results(_with_latency(_results(), 0.001, n=2), _with_latency(_results(), 0.0012, n=2))
    assert few.times[0].state == "not tested"
    unmeasured = compare_results(_results(), _with_latency(_results(), 0.0012))
    assert any("Latency of one image is not compared: it is not measured in OLD" in x for x in unmeasured.not_compared)
