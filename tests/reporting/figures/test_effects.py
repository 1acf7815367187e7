import math

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from reporting_helpers import make_results, make_study, make_untrained

from harness.reporting.figures.drawable_effects import (
    MAX_ROWS,
    describe_effects_figure,
    has_zoomed_panel,
    list_drawable_effects,
)
from harness.reporting.figures.effects import ROLE_COLOURS, UNTRAINABLE_COLOUR, draw_effects, find_region
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


@pytest.fixture(scope="module")
def untrainable():
    """Return the verdict on a plain network of 32 layers that does not train, as the figure draws it."""
    return list_drawable_effects(decide_contrasts(make_untrained(range(10))))


def test_caption_names_a_margin_only_where_a_contrast_has_one(quickstart):
    assert "The dotted line is the margin." in describe_effects_figure(
        list_drawable_effects(decide_contrasts(quickstart))
    )
    contrasts = [DIFFERENCE, {**DIFFERENCE, "metric": "train/error"}]
    groups = list_drawable_effects(decide_contrasts(make_results(make_study(contrasts=contrasts))))
    assert "margin" not in describe_effects_figure(groups)


def test_caption_counts_the_contrasts_that_are_left_out(quickstart):
    groups = list_drawable_effects(decide_contrasts(quickstart))
    assert "in the tables only" not in describe_effects_figure(groups)
    assert describe_effects_figure(groups, 1).endswith("1 more contrast is in the tables only.")
    assert describe_effects_figure(groups, 2).endswith("2 more contrasts are in the tables only.")


def test_caption_explains_grey_effects_only_where_there_are_some(quickstart, untrainable):
    text = "Grey effects without regions have an untrainable network: they neither support nor contradict."
    assert text in describe_effects_figure(untrainable)
    assert text not in describe_effects_figure(list_drawable_effects(decide_contrasts(quickstart)))


def test_effects_of_an_untrainable_network_are_grey_and_have_no_region(untrainable):
    figure = Figure()
    draw_effects(figure, untrainable)
    axes = figure.axes[0]
    regions = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert {to_hex(patch.get_facecolor()) for patch in regions} == set(ROLE_COLOURS.values())
    # Only the residual change, in the second row below the heading, has regions.
    assert {round(patch.get_y() + patch.get_height() / 2) for patch in regions} == {2}
    marks = [(round(line.get_ydata()[0]), to_hex(line.get_color())) for line in axes.lines if line.get_marker() in "oD"]
    assert {row for row, colour in marks if colour == UNTRAINABLE_COLOUR} == {1, 3}
    assert {row for row, colour in marks if colour != UNTRAINABLE_COLOUR} == {2}
    texts = [text.get_text() for text in figure.axes[-1].texts]
    assert "untrainable\nn = 10" in texts and "not worse\nn = 10, p = 1/1,024" in texts
