import math
from itertools import pairwise

import pytest

from harness.reporting.figures.label_placement import choose_log_ticks, place_labels


@pytest.mark.parametrize(("low", "high"), [(150, 1.2e6), (0.3, 1.5), (2.1, 2.9), (2.1, 2.3), (1e4, 1e9), (9.5, 11)])
def test_choose_log_ticks_leaves_room_for_labels(low, high):
    ticks = choose_log_ticks(low, high)
    assert ticks == sorted(ticks)
    assert 1 <= len(ticks) <= 5
    assert all(low <= tick <= high for tick in ticks)
    room = 0.2 * math.log(high / low)
    assert all(math.log(b / a) > room for a, b in pairwise(ticks))


@pytest.mark.parametrize(
    ("points", "names", "align"),
    [
        pytest.param([(50, 50)], ["8"], "left", id="a lone point has its name on the right"),
        pytest.param([(198, 50)], ["8"], "right", id="at the right edge the name is on the left"),
        pytest.param([(50, 50), (62, 52)], ["8", "8"], "right", id="beside another point the name is on the left"),
    ],
)
def test_place_labels_takes_the_first_free_side(points, names, align):
    assert place_labels(points, names, 200)[0].align == align


def test_place_labels_leaves_out_a_name_without_a_free_side():
    crowd = [(50, 50), *((50 + x, 50 + y) for x in (-12, 0, 12) for y in (-12, 0, 12) if x or y)]
    assert place_labels(crowd, ["8"], 200) == [None]
