"""Records planted so that the right verdict is known."""

import subprocess
import sys

import pytest

from harness.reporting.statistics.proportions import binomial_interval
from harness.reporting.statistics.effect_test import compare_and_test
from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.summaries import format_headline, format_summary_lines

IMAGE = 100 / 1438
DEEP_PLAIN, DEEP_RESIDUAL = "cifar-plain32-w8", "cifar-resnet32-w8"
WIGGLE = [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 3.0, 1.0, 2.0, 1.0]


def errors(study, **levels):
    """Clean errors that rise over ``levels`` (percent, by variant without prefix) by a few images from seed to seed."""
    n, made = len(study.experiment.seeds), {}
    for index, v in enumerate(study.variants):
        level = levels.get(("plain" if v.is_plain else "residual") + str(v.depth), 1.0)
        made[v.name] = [level + IMAGE * w for w in (WIGGLE[index:] + WIGGLE)[:n]]
    return made


def only(results):
    (verdict,) = decide_contrasts(results)
    return verdict


def test_supported(study, planted):
    s = study()
    verdict = only(planted(s, errors(s, plain32=20.0)))
    assert verdict.state == "supported"
    assert (verdict.n, verdict.p, verdict.p_adjusted) == (8, 1 / 256, 1 / 256)
    plain, residual, both = verdict.components
    assert plain.weakest_test.effect == pytest.approx(19.0, abs=0.1)
    assert residual.weakest_test.effect == pytest.approx(0.0, abs=0.1)
    assert both.weakest_test.effect == pytest.approx(19.0, abs=0.2)
    assert "within this budget (10 epochs)" in verdict.conclusion
    assert "n = 8" in verdict.conclusion
    assert verdict.notes == ()


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ({}, "plain nets does not rise by as much as the margin of 0.5"),
        ({"plain32": 5.0, "residual32": 3.0}, "residual nets rises by more than the margin of 0.5"),
        ({"plain32": 2.0, "residual32": 1.4, "residual8": 0.1}, "residual nets rises by more than that of the plain"),
    ],
)
def test_three_ways_to_contradict(study, planted, levels, words):
    s = study()
    verdict = only(planted(s, errors(s, **levels)))
    assert verdict.state == "contradicted"
    assert words in verdict.conclusion
    assert "within this budget (10 epochs)" in verdict.conclusion
    assert verdict.p_opposite_adjusted == 3 / 256


def test_undecided_says_how_many_seeds(study, planted):
    s = study()
    planted_errors = errors(s) | {DEEP_PLAIN: [1.0, 9.0, 0.0, 7.0, 0.0, 0.5, 0.0, 8.0]}
    verdict = only(planted(s, planted_errors))
    assert verdict.state == "undecided"
    assert verdict.seeds_to_decide > 100
    assert f"{verdict.seeds_to_decide:,} seeds would decide an effect of 0.5 points" in verdict.conclusion


def test_where_all_seeds_agree_no_number_of_seeds_is_promised(study, planted):
    """No wrong image in 1438 leaves room for 0.26 %, whatever the number of seeds."""
    s = study(contrasts=[{"kind": "degradation", "shallow": 8, "deep": 32, "margin": 0.1}])
    nothing = {v.name: [0.0] * 8 for v in s.variants if not v.is_plain}
    verdict = only(planted(s, errors(s, plain32=20.0) | nothing))
    assert (verdict.state, verdict.seeds_to_decide) == ("undecided", None)
    assert "more images" in verdict.conclusion and "would decide" not in verdict.conclusion


def test_as_many_seeds_as_suffice_are_not_asked_for_again(study, planted):
    s = study(contrasts=[{"kind": "difference", "a": DEEP_PLAIN, "b": DEEP_RESIDUAL, "smallest_effect": 5.0}])
    same = [2.0 + IMAGE * w for w in (0, 1, 0, 1, 0, 1, 0, 1)]
    other = [2.0 + IMAGE * w for w in (1, 0, 1, 0, 1, 0, 1, 0)]
    verdict = only(planted(s, tests={v.name: same if v.is_plain else other for v in s.variants}))
    assert (verdict.state, verdict.seeds_to_decide) == ("undecided", 8)
    assert "8 seeds suffice for an effect of 5 points (power 0.8)" in verdict.conclusion


def test_both_training_errors_have_to_agree(study, planted):
    s = study()
    results = planted(s, errors(s, plain32=20.0))
    frame = results.epochs
    shallow = (frame["variant"] == "cifar-plain8-w8") & (frame["epoch"] == 10)
    frame.loc[shallow, "train/error"] = 50.0
    verdict = only(results)
    assert verdict.state == "undecided"
    assert verdict.components[0].weakest_test.metric == "train/error"
    assert verdict.components[0].p == 1.0


def test_a_rise_below_the_margin_is_neither(study, planted):
    s = study()
    verdict = only(planted(s, errors(s, plain32=1.2)))
    assert verdict.state == "undecided"
    assert "smaller than the margin" in verdict.conclusion


@pytest.mark.parametrize(("n", "words"), [(1, "smoke run"), (2, "preview with no inference"), (4, "preview with no")])
def test_few_seeds_give_no_inference(study, planted, n, words):
    s = study(seeds=list(range(n)))
    verdict = only(planted(s, errors(s, plain32=20.0)))
    assert (verdict.state, verdict.p, verdict.seeds_to_decide) == ("undecided", None, None)
    assert all(m.p is None and m.low is None for c in verdict.components for m in c.tests)
    assert words in verdict.conclusion
    assert "p =" not in verdict.conclusion
    assert "interval" not in verdict.conclusion


@pytest.mark.parametrize("n", [5, 7])
def test_below_eight_is_descriptive(study, planted, n):
    s = study(seeds=list(range(n)))
    verdict = only(planted(s, errors(s, plain32=20.0)))
    assert verdict.state == "undecided"
    assert "descriptive with n" in verdict.conclusion
    assert "8 seeds are needed for claims" in verdict.conclusion
    assert verdict.components[0].weakest_test.low is not None
    assert verdict.components[0].p is None


def test_divergence_alone_makes_no_degradation(study, planted):
    s = study(seeds=list(range(8)))
    bad = [(DEEP_PLAIN, seed) for seed in range(7)]
    verdict = only(planted(s, errors(s, plain32=1.3), diverged=bad))
    assert verdict.state == "undecided"
    assert verdict.components[0].weakest_test.comparison.effect > 70
    assert len(verdict.diverged) == 7
    assert verdict.without_diverged.n == 1
    assert "with and without" in verdict.conclusion


def test_divergence_beside_degradation_leaves_it_supported(study, planted):
    s = study(seeds=list(range(10)))
    verdict = only(planted(s, errors(s, plain32=20.0), diverged=[(DEEP_PLAIN, 3)]))
    assert (verdict.state, verdict.n) == ("supported", 10)
    assert (verdict.without_diverged.state, verdict.without_diverged.n) == ("supported", 9)
    assert verdict.diverged == ("cifar-plain32-w8 seed 3",)
    assert any("without their seeds: supported (n = 9)" in note for note in verdict.notes)


def test_missing_pairs_fall_back_to_welch(study, planted):
    s = study(seeds=list(range(10)))
    verdict = only(planted(s, errors(s, plain32=20.0), missing=[(DEEP_PLAIN, 4)]))
    assert (verdict.state, verdict.n) == ("supported", 9)
    assert verdict.missing == ("cifar-plain32-w8 seed 4",)
    assert any("Welch" in note for note in verdict.notes)
    methods = [c.weakest_test.comparison.method for c in verdict.components]
    assert methods == ["welch", "paired", "welch"]


def test_a_missing_cell_is_named(study, planted):
    s = study()
    verdict = only(planted(s, errors(s), missing=[(DEEP_RESIDUAL, seed) for seed in s.experiment.seeds]))
    assert (verdict.state, verdict.n) == ("undecided", 0)
    assert len(verdict.missing) == 8
    assert "holds no trial" in verdict.conclusion


def test_agreeing_seeds_get_an_interval_over_images(study, planted):
    s = study()
    verdict = only(planted(s, {v.name: [0.0] * 8 for v in s.variants}))
    measured = verdict.components[1].weakest_test
    assert measured.over_images
    assert (measured.low, measured.high) == pytest.approx(
        (-binomial_interval(0, 1438, 0.975)[1], binomial_interval(0, 1438, 0.975)[1])
    )


@pytest.mark.parametrize(
    ("side", "a", "b", "state"),
    [
        ("less", 2.0, 5.0, "supported"),
        ("less", 5.0, 2.0, "contradicted"),
        ("greater", 5.0, 2.0, "supported"),
        ("two-sided", 5.0, 2.0, "supported"),
        ("two-sided", 2.0, 2.0, "undecided"),
        ("less", 2.0, 2.0, "undecided"),
    ],
)
def test_differences(study, planted, side, a, b, state):
    contrast = {"kind": "difference", "a": DEEP_RESIDUAL, "b": DEEP_PLAIN, "side": side}
    s = study(contrasts=[contrast])
    tests = {v.name: [4.0 + w for w in WIGGLE[:8]] for v in s.variants}
    tests |= {DEEP_RESIDUAL: [a + w for w in WIGGLE[:8]], DEEP_PLAIN: [b + w for w in reversed(WIGGLE[:8])]}
    verdict = only(planted(s, errors(s), tests=tests))
    assert verdict.state == state
    assert "within this budget (10 epochs)" in verdict.conclusion


def test_several_verdicts_are_corrected_by_holm(study, planted):
    contrasts = [
        {"kind": "difference", "a": DEEP_RESIDUAL, "b": name}
        for name in (DEEP_PLAIN, "cifar-plain8-w8", "cifar-resnet8-w8")
    ]
    s = study(contrasts=contrasts)
    tests = {v.name: [4.0 + w for w in WIGGLE[:8]] for v in s.variants}
    tests[DEEP_RESIDUAL] = [1.0] * 8
    # Six seeds of eight are better by little, two worse: p lies between 0.05 / 2 and 0.05.
    tests["cifar-resnet8-w8"] = [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.1]
    found = decide_contrasts(planted(s, errors(s), tests=tests))
    assert [v.p for v in found] == [1 / 256, 1 / 256, 2 / 256]
    # Over three quarters of the level, then times three.
    assert [v.p_adjusted for v in found] == [4 / 256, 4 / 256, 4 / 256]
    assert all("Holm's correction for 3 verdicts" in v.conclusion for v in found)


@pytest.mark.parametrize("n", [1, 3, 5, 8])
def test_one_side_without_spread(study, planted, n):
    """Every seed of one variant alike, the other's not: the differences have the other's spread, and r has no value."""
    contrast = {"kind": "difference", "a": DEEP_RESIDUAL, "b": DEEP_PLAIN}
    s = study(contrasts=[contrast], seeds=list(range(n)))
    tests = {v.name: [4.0 + w for w in WIGGLE[:n]] for v in s.variants} | {DEEP_RESIDUAL: [2.0] * n}
    verdict = only(planted(s, errors(s), tests=tests))
    (measured,) = verdict.components[0].tests
    assert measured.comparison.correlation is None and not measured.over_images
    assert verdict.state == ("supported" if n == 8 else "undecided")
    assert verdict.p == (1 / 256 if n == 8 else None)
    assert (measured.low is not None) == (n >= 5)
    words = {1: "a smoke run with n = 1 seed", 3: "a preview with no inference, n = 3", 5: "descriptive with n = 5"}
    assert words.get(n, "n = 8 paired seeds") in verdict.conclusion


def test_headline_and_terminal_lines(study, planted):
    s = study()
    found = decide_contrasts(planted(s, errors(s, plain32=20.0)))
    assert format_headline(found).startswith("> **Supported within this budget (10 epochs):** from depth 8")
    assert format_summary_lines(found) == [found[0].conclusion]
    assert "exploratory" in format_headline([]) and "exploratory" in format_summary_lines([])[0]


def test_the_room_keeps_out_torch_ray_and_mlflow():
    code = (
        "import sys, harness.reporting.page.report, harness.reporting.figures.report_figures; "
        "print(sorted({'torch', 'ray', 'mlflow', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_seeds_that_all_agree_still_have_to_convince_over_the_images(study):
    """Without spread every sign-flip p is the smallest there is; the exact interval over images decides."""
    data = study().data.model_copy(update={"test": 100})
    a, b = dict.fromkeys(range(8), 2.0), dict.fromkeys(range(8), 1.0)
    unclear = compare_and_test("test/error", [a], [b], "less", 1.5, 1.5, data)
    assert unclear.over_images and unclear.p == 1.0
    far = compare_and_test("test/error", [a], [b], "less", 50.0, 50.0, data)
    assert far.p == 1 / 2**8
