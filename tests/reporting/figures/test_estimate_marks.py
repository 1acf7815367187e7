import pytest
from matplotlib.figure import Figure

from harness.reporting.figures.estimate_marks import draw_estimate


@pytest.fixture
def axes():
    return Figure().subplots()


def test_draw_estimate_spreads_the_seeds_across_the_values(axes):
    draw_estimate(axes, 3.0, 2.0, (1.0, 4.0), "black", "o", seeds=[1.0, 2.0, 3.0], spread=0.6)
    (points,) = axes.collections
    x, y = points.get_offsets().T.tolist()
    assert x == pytest.approx([2.8, 3.0, 3.2])
    assert y == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("orientation", "interval", "mean"),
    [("vertical", [(3.0, 1.0), (3.0, 4.0)], [(3.0, 2.0)]), ("horizontal", [(1.0, 3.0), (4.0, 3.0)], [(2.0, 3.0)])],
)
def test_draw_estimate_draws_interval_and_mean_along_its_orientation(axes, orientation, interval, mean):
    draw_estimate(axes, 3.0, 2.0, (1.0, 4.0), "black", "o", orientation=orientation)
    assert [list(map(tuple, line.get_xydata().tolist())) for line in axes.lines] == [interval, mean]


def test_draw_estimate_without_interval_draws_the_mean_alone(axes):
    draw_estimate(axes, 3.0, 2.0, None, "black", "o")
    assert [line.get_xydata().tolist() for line in axes.lines] == [[[3.0, 2.0]]]
    assert not axes.collections
