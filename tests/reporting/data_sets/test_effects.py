"""The effects of a contrast on several data sets, and their mean."""

import math

import pytest
from data_sets_helpers import DEGRADED, FLAT, LARGER, make_data_sets_results, make_data_sets_study

from harness.reporting.data_sets.effects import build_components_over_data, find_standard_error
from harness.reporting.data_sets.verdicts import decide_data_sets
from harness.reporting.verdicts.effect_tests import compare_cells


def build_components(results):
    (several,) = decide_data_sets(results)
    return build_components_over_data(several, {info.title: info for info in results.study.data_sets})


def test_mean_over_data_sets_lies_between_the_effects(differing):
    plain = build_components(differing)[0]
    for effect in plain.effects:
        ends = sorted(test.effect for test in effect.tests.values())
        assert ends[0] < effect.mean.mean < ends[1]
        assert effect.mean.n == 2
        assert effect.mean.next_high >= effect.mean.high


def test_claimed_outcomes_are_counted_over_data_sets(agreeing, differing):
    assert [component.count_claimed() for component in build_components(agreeing)] == [2, 2, 2]
    plain, residual, _ = build_components(differing)
    assert (plain.count_claimed(), residual.count_claimed()) == (1, 2)


@pytest.mark.parametrize("levels", [(DEGRADED, None), (None, FLAT)])
def test_data_set_without_trials_leaves_no_mean(levels):
    components = build_components(make_data_sets_results(*levels))
    assert all(effect.mean is None for component in components for effect in component.effects)


def test_few_seeds_leave_no_mean():
    results = make_data_sets_results(FLAT, FLAT, study=make_data_sets_study(seeds=[0, 1, 2, 3]))
    assert all(effect.mean is None for component in build_components(results) for effect in component.effects)


def test_seeds_that_agree_have_a_standard_error_of_one_image():
    equal = dict.fromkeys(range(8), 4.0)
    test = compare_cells("train/error_clean", [equal], [dict.fromkeys(range(8), 1.0)], list(range(8)), LARGER)
    assert find_standard_error(test, LARGER) == pytest.approx(100 / LARGER.train / math.sqrt(8))


def test_measure_without_images_has_no_standard_error_where_seeds_agree():
    equal = dict.fromkeys(range(8), 4.0)
    test = compare_cells("train/error_clean", [equal], [equal], list(range(8)), LARGER)
    seconds = type(test)("time/train_s", test.comparison, None, None, False, test.differences)
    assert find_standard_error(seconds, LARGER) is None
