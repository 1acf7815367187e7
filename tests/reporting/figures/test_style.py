import pytest
from matplotlib.figure import Figure

from harness.reporting.figures.style import panel_grid, render_figure, scale_error_axis


@pytest.mark.parametrize(
    ("panels", "grid"), [(1, (1, 1)), (2, (1, 2)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3)), (6, (2, 3)), (7, (3, 3))]
)
def test_panel_grid_has_at_most_three_columns(panels, grid):
    assert panel_grid(panels) == grid


@pytest.mark.parametrize(
    ("errors", "scale"), [([2.0, 20.0], "linear"), ([0.07, 20.0], "symlog"), ([0.0, 0.0], "linear"), ([], "linear")]
)
def test_scale_error_axis_is_logarithmic_where_errors_span_decades(errors, scale):
    axes = Figure().subplots()
    scale_error_axis(axes, errors, images=1438, label="Error (%)")
    assert axes.get_yscale() == scale
    assert axes.get_ylabel() == ("Error (%), logarithmic above 0.1" if scale == "symlog" else "Error (%)")


def test_render_figure_gives_equal_bytes_for_equal_figures():
    first, second = (render_figure(2, 1, lambda figure: figure.subplots().plot([1, 2])) for _ in range(2))
    assert first == second
    assert set(first) == {"svg", "png"}
