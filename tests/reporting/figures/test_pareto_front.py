import pytest

from harness.reporting.figures.pareto_front import find_pareto_front


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([(1, 9.0), (2, 5.0), (2, 6.0), (3, 5.0), (4, 1.0), (4, 1.0), (0.5, 9.5)], [6, 0, 1, 4, 5]),
        ([(1, 2.0), (1, 1.0)], [1]),
        ([], []),
    ],
)
def test_find_pareto_front_lists_the_points_that_no_other_dominates(points, front):
    assert find_pareto_front(points) == front
