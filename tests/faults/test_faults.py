"""Each fault once, and every crash point once, on real Ray and MLflow; ``make faults`` makes the full table.

CI runs the faults that need no long wait and half of the crash points; ``make cluster-test`` runs the others too.
"""

import random

import pytest

from faults.injections import (
    CRASH_POINTS,
    FAULTS,
    behind_proxy,
    crash_points,
    disk_full,
    interrupted,
    server_killed,
    store_locked,
)
from faults.sweep import reference_record

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
GROUPS = 4
LASTING_FAULTS = (server_killed, store_locked, disk_full, interrupted, behind_proxy)
"""Faults that take a minute or more each, or that another test injects too."""


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    place = tmp_path_factory.mktemp("faults")
    reference_record(place)
    return place


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (fault in LASTING_FAULTS)) for name, fault in FAULTS.items()]
)
def test_sweep_with_a_fault_loses_and_doubles_nothing(work, name):
    seed = f"{FAULTS[name].__name__}-{random.randrange(10**6)}"
    print("seed", seed)
    try:
        damage = FAULTS[name](work, seed, 1)
    except PermissionError as error:
        pytest.skip(str(error))
    assert damage.injected, f"{seed}: the sweep was over before the fault"
    assert damage.clean, f"{seed}: {damage}"


@pytest.mark.parametrize(
    "group", [pytest.param(group, marks=[pytest.mark.long] * (group >= GROUPS // 2)) for group in range(GROUPS)]
)
def test_sweep_killed_at_crash_points_loses_and_doubles_nothing(work, group):
    points = CRASH_POINTS[group::GROUPS]
    damage, reached = crash_points(work, f"crash-group-{group}", points)
    assert damage.clean, damage
    assert set(reached) == set(points), f"not reached: {set(points) - set(reached)}"
