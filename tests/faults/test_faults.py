"""Each fault once, and every crash point once, on real Ray and MLflow; ``make faults`` makes the full table."""

import random

import pytest

from faults.injections import CRASH_POINTS, FAULTS, crash_points
from faults.sweep import undisturbed

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
GROUPS = 4


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    place = tmp_path_factory.mktemp("faults")
    undisturbed(place)
    return place


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost_and_nothing_is_twice(work, name):
    seed = f"{FAULTS[name].__name__}-{random.randrange(10**6)}"
    print("seed", seed)
    try:
        damage = FAULTS[name](work, seed, 1)
    except PermissionError as error:
        pytest.skip(str(error))
    assert damage.injected, f"{seed}: the sweep was over before the fault"
    assert damage.clean, f"{seed}: {damage}"


@pytest.mark.parametrize("group", range(GROUPS))
def test_every_crash_point(work, group):
    points = CRASH_POINTS[group::GROUPS]
    damage, reached = crash_points(work, f"crash-group-{group}", points)
    assert damage.clean, damage
    assert set(reached) == set(points), f"not reached: {set(points) - set(reached)}"
