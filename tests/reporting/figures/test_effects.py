import math

from reporting_helpers import make_results, make_study

from harness.reporting.figures.drawable_effects import MAX_ROWS, has_zoomed_panel, list_drawable_effects
from harness.reporting.figures.effects import find_region
from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.outcomes import plain_outcomes

DIFFERENCE = {"kind": "difference", "a": "cifar-resnet8-w8", "b": "cifar-plain8-w8"}


def test_differences_take_one_row_each_without_a_heading():
    contrasts = [DIFFERENCE, {**DIFFERENCE, "metric": "test/error", "side": "two-sided"}]
    groups = list_drawable_effects(decide_contrasts(make_results(make_study(contrasts=contrasts))))
    assert [(group.top, group.has_heading, group.end) for group in groups] == [(0, False, 1), (1, False, 2)]


def test_components_of_a_degradation_stand_below_its_heading(quickstart):
    (group,) = list_drawable_effects(decide_contrasts(quickstart))
    assert group.has_heading
    assert [(row, component.name) for row, component in group.rows] == [
        (1, "plain"), (2, "residual"), (3, "interaction"),
    ]  # fmt: skip


def test_effects_beyond_the_largest_number_of_rows_are_left_out(quickstart):
    (verdict,) = decide_contrasts(quickstart)
    groups = list_drawable_effects([verdict] * 50)
    assert groups[-1].end == MAX_ROWS == 4 * len(groups)


def test_a_second_panel_shows_the_margin_beside_effects_of_many_margins_only(quickstart):
    assert has_zoomed_panel(list_drawable_effects(decide_contrasts(quickstart)))
    contrasts = [DIFFERENCE, {**DIFFERENCE, "metric": "train/error"}]
    assert not has_zoomed_panel(list_drawable_effects(decide_contrasts(make_results(make_study(contrasts=contrasts)))))


def test_regions_of_the_outcomes_of_a_plain_change_touch_and_do_not_overlap():
    rises, negligible, falls = (find_region(outcome) for outcome in plain_outcomes(0.5))
    assert (falls, negligible, rises) == ((-math.inf, -0.5), (-0.5, 0.5), (0.5, math.inf))
