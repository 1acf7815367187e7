"""Two results held against each other: planted changes are called, noise is not, and what is unlike is not compared."""

import numpy as np
import pytest
from reporting_helpers import INFO, make_results, make_study

from harness.errors import HarnessError
from harness.io.yaml_documents import Document
from harness.reporting.compare.diff import compare_results
from harness.reporting.compare.diff_as_text import format_change_cells, describe_diff
from harness.specs import Catalogue, resolve
from harness.specs.experiment.experiment import Experiment
from harness.tracking.results_table import Results

ALONE = {"shared": False}
NAMES = [variant.name for variant in make_study().variants]


def _tests(study, shift=None, sd=0.6):
    """Test errors of every variant: the same spread, some shifted by so many points."""
    seeds = len(study.experiment.seeds)
    made = {}
    for index, variant in enumerate(study.variants):
        noise = np.random.default_rng([index, 3]).normal(0, sd, seeds)
        made[variant.name] = list(5 + noise + (shift or {}).get(variant.name, 0.0))
    return made


def _results(shift=None, changes=None, alone=False, speed=1.0, jitter=1, **planting):
    study = make_study(**(changes or {}))
    if alone:
        every = {(v.name, s): ALONE for v in study.variants for s in study.experiment.seeds}
        planting["provenance"] = {
            key: {**every.get(key, {}), **planting.get("provenance", {}).get(key, {})} for key in every
        }
    found = make_results(study, test_errors=_tests(study, shift), **planting)
    rng = np.random.default_rng(jitter)
    each = {trial: speed * np.exp(rng.normal(0, 0.01)) for trial in found.epochs["trial"].unique()}
    found.epochs["time/train_s"] *= found.epochs["trial"].map(each)
    return found


def states(found):
    return {change.variant: change.state for change in found.errors}


def said(found):
    return "\n".join(describe_diff(found))


def test_the_same_results_are_no_change():
    found = compare_results(_results(), _results())
    assert set(states(found).values()) == {"no change shown"}
    assert not found.regression
    assert "Test error, all variants: the same in every seed." in said(found)
    assert "No regression beyond noise (6 comparisons tested" in said(found)


def test_what_rose_is_worse_and_what_fell_is_better_and_nothing_else_is_called():
    found = compare_results(_results(), _results({NAMES[2]: 3.0, NAMES[3]: -1.0, NAMES[4]: 0.3}))
    assert states(found) == {
        NAMES[0]: "no change shown", NAMES[1]: "no change shown", NAMES[2]: "worse", NAMES[3]: "better",
        NAMES[4]: "no change shown", NAMES[5]: "no change shown",
    }  # fmt: skip
    assert found.regression
    rose = found.errors[2]
    assert rose.effect == pytest.approx(3.0) and rose.p == 2 / 256 and rose.p_adjusted == pytest.approx(6 * 2 / 256)
    assert rose.method == "paired" and rose.n == 8
    assert f"Regression: {NAMES[2]} in test error (+3.00 points); better: {NAMES[3]}" in said(found)
    assert format_change_cells(rose)[-1] == "worse" and format_change_cells(rose)[4] == "+3.00 points"


def test_a_change_below_the_smallest_is_none_however_sure():
    small = compare_results(_results(), _results({NAMES[4]: 0.3}))
    assert small.errors[4].p == 2 / 256 and not small.regression
    assert compare_results(_results(), _results({NAMES[4]: 0.3}), smallest=0.2).regression


@pytest.mark.slow
def test_noise_is_called_a_change_as_rarely_as_the_level_says():
    """200 comparisons of six variants with other noise: Holm holds the share in which any is called to 5 %."""
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
def test_too_few_seeds_test_nothing_and_say_so(n):
    changes = {"seeds": list(range(n))}
    found = compare_results(_results(None, changes), _results({NAMES[0]: 50.0}, changes))
    assert set(states(found).values()) == {"not tested"} and not found.regression
    assert f"Errors are not tested: n = {n} is too small" in said(found)
    assert "because nothing could be tested" in said(found)


def test_a_family_that_can_never_be_called_is_said_to_be():
    """Seven variants at 8 pairs: the least p is 2/256, and Holm asks for 0.05 / 7."""
    family = {"family": "cifar-resnet", "depth": [8, 14, 20, 26], "shortcut": ["none", "identity"],
              "set": {"widths": [8, 16, 32]}}  # fmt: skip
    changes = {"variants": [family], "contrasts": []}
    found = compare_results(_results(None, changes), _results({"cifar-plain8-w8": 9.0}, changes))
    assert not found.regression
    assert "No change of error can be called: at 8 pairs no two-sided p is below 0.00781" in said(found)
    assert "9 seeds would do" in said(found)


def test_seeds_in_common_are_paired_and_others_compared_as_groups():
    more = {"seeds": list(range(10, 20))}
    paired = compare_results(_results(), _results(None, more))
    assert {(c.method, c.n) for c in paired.errors} == {("paired", 8)}
    assert "2 trials without a partner left out" in said(paired)
    others = compare_results(_results(), _results({NAMES[2]: 5.0}, {"seeds": list(range(50, 60))}))
    assert {(c.method, c.n) for c in others.errors} == {("welch", 8)}
    assert states(others)[NAMES[2]] == "worse"


def test_more_that_diverged_is_worse_and_named():
    found = compare_results(_results(), _results(diverged=[(NAMES[2], seed) for seed in range(10, 18)]))
    assert states(found)[NAMES[2]] == "worse"
    assert "diverged, at chance error: 0 in OLD, 8 in NEW; no seed is without" in said(found)
    one = compare_results(_results(), _results(diverged=[(NAMES[2], 12)]))
    assert states(one)[NAMES[2]] == "no change shown"
    assert "0 in OLD, 1 in NEW; without their seeds +0.00 points, n = 7" in said(one)


def test_variants_of_one_side_and_trials_that_are_missing_are_named():
    fewer = {"variants": [{"name": "cifar-resnet8", "set": {"widths": [8, 16, 32]}}, "cifar-plain8"], "contrasts": []}
    found = compare_results(_results(), _results(None, fewer))
    assert found.only_new == ("cifar-plain8",)
    assert set(found.only_old) == set(NAMES) - {"cifar-resnet8-w8"}
    assert "Only in NEW: cifar-plain8." in said(found)
    gone = compare_results(_results(), _results(missing=[(NAMES[1], seed) for seed in range(10, 18)]))
    assert f"Not recorded on one side, so not compared: {NAMES[1]}." in said(gone)


def test_a_changed_recipe_and_a_changed_network_are_compared_and_said():
    found = compare_results(_results(), _results(None, {"recipe": {"epochs": 10, "batch": 128, "lr": 0.1}}))
    assert "The recipe changed: recipe.lr: 0.05 → 0.1." in said(found)

    def labelled(widths):
        variants = [{"name": "cifar-resnet8", "label": "mine", "set": {"widths": widths}}]
        return _results(None, {"variants": variants, "contrasts": []})

    assert "its spec changed (widths: 8, 16, 32 → 16, 16, 32)" in said(
        compare_results(labelled([8, 16, 32]), labelled([16, 16, 32]))
    )


def test_unlike_data_is_never_compared():
    other = INFO.model_copy(update={"fingerprint": "ffffffffffff"})
    experiment = Experiment.model_validate(make_study().experiment.model_dump())
    study = resolve(experiment, Document("planted.yaml", {}), Catalogue.load(), other)
    with pytest.raises(HarnessError, match=r"unlike data.*fingerprint: 0a1b2c3d4e5f → ffffffffffff"):
        compare_results(_results(), make_results(study))
    with pytest.raises(HarnessError, match=r"data\.split_seed: 0 → 1"):
        compare_results(_results(), _results(None, {"data": {"name": "digits", "split_seed": 1}}))
    with pytest.raises(HarnessError, match="they share no variant"):
        compare_results(_results(), _results(None, {"variants": "cifar-resnet8", "contrasts": []}))


def test_an_error_that_is_not_measured_is_refused():
    with pytest.raises(HarnessError, match="not measured in both"):
        compare_results(_results(), _results(), metrics=("val/error",))


def test_an_empty_record_is_refused():
    results = _results()
    with pytest.raises(HarnessError, match="no trial of 'quickstart' is recorded"):
        compare_results(results, Results(results.study, results.epochs.iloc[:0]))


def test_times_that_grew_are_worse():
    found = compare_results(_results(alone=True), _results(alone=True, speed=1.2, jitter=2))
    assert {change.state for change in found.times} == {"worse"} and len(found.times) == 6
    assert found.times[0].effect == pytest.approx(20, abs=2) and found.times[0].low > 15
    assert not compare_results(_results(alone=True), _results(alone=True, speed=1.03, jitter=2)).regression
    assert format_change_cells(found.times[0])[4] == f"+{found.times[0].effect:.1f} %"


@pytest.mark.parametrize(
    ("planting", "reason"),
    [
        ({}, "trials shared their device, or none ended, in OLD and NEW"),
        ({"device": "NVIDIA H200"}, "hardware, software or settings differ (device: Test CPU, 1 thread → NVIDIA H200)"),
        ({"software": "torch 3"}, "hardware, software or settings differ (software: torch 2.15.0"),
        ({"recipe": {"epochs": 10, "batch": 128, "lr": 0.1}}, "the recipe changed"),
        ({"execution": {"compile": True}}, "settings of execution differ (execution.compile: False → True)"),
        ({"one": True}, "the trials of NEW differ in device"),
    ],
)
def test_times_under_unlike_conditions_are_not_compared_and_it_says_why(planting, reason):
    changes = {key: planting[key] for key in ("recipe", "execution") if key in planting}
    other = {key: planting[key] for key in ("device", "software") if key in planting}
    provenance = {(name, seed): other for name in NAMES for seed in range(10, 18)}
    if "one" in planting:
        provenance = {(name, 10): {"device": "another"} for name in NAMES}
    alone = bool(planting)
    found = compare_results(_results(alone=alone), _results(None, changes, alone, provenance=provenance))
    assert not found.times
    assert any(reason in line for line in found.not_compared), found.not_compared


def _benched(results, seconds, sd=0.00001, n=5):
    results.epochs["bench/latency_s"], results.epochs["bench/latency_sd_s"] = seconds, sd
    results.epochs["bench/latency_n"] = float(n)
    return results


def test_measured_costs_are_compared_over_their_processes():
    found = compare_results(_benched(_results(), 0.001), _benched(_results(), 0.0012))
    assert {c.measure for c in found.times} == {"bench/latency_s"}
    assert found.times[0].effect == pytest.approx(20) and found.times[0].state == "worse"
    assert found.times[0].low < 20 < found.times[0].high
    few = compare_results(_benched(_results(), 0.001, n=2), _benched(_results(), 0.0012, n=2))
    assert few.times[0].state == "not tested"
    unmeasured = compare_results(_results(), _benched(_results(), 0.0012))
    assert any("Latency of one image is not compared: it is not measured in OLD" in x for x in unmeasured.not_compared)
