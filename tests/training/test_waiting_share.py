"""The waiting of threads for a core, with a real process that uses the same core."""

import time

import pytest
from training.busy_core import busy_process_on_this_core, needs_waiting_times

from harness.training.timers import MAX_WAITING_SHARE, CoreTimes, read_thread_times


def compute(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@needs_waiting_times
def test_waiting_share_beside_a_process_on_the_same_core_is_large():
    with busy_process_on_this_core():
        before = read_thread_times()
        compute(0.5)
        times = CoreTimes().add(before, read_thread_times())
    assert times.waiting_share > 0.25
    assert times.is_shared


def test_core_times_add_up_the_threads_between_two_readings():
    before, after = {1: (10, 5), 2: (7, 7)}, {1: (2_000_000_010, 1_000_000_005), 3: (500_000_000, 0)}
    times = CoreTimes(running=1.0).add(before, after)
    assert times == CoreTimes(running=3.5, waiting=1.0)
    assert times.waiting_share == pytest.approx(1 / 4.5)


def test_core_times_without_a_reading_have_no_share_and_count_as_not_shared():
    assert CoreTimes().waiting_share is None
    assert not CoreTimes().is_shared


@pytest.mark.parametrize(("waiting", "is_shared"), [(MAX_WAITING_SHARE, False), (MAX_WAITING_SHARE + 0.01, True)])
def test_core_times_are_shared_above_the_bound_only(waiting, is_shared):
    assert CoreTimes(running=1 - waiting, waiting=waiting).is_shared is is_shared


@needs_waiting_times
def test_reading_the_times_of_all_threads_takes_less_than_a_millisecond_for_each():
    start = time.process_time()
    threads = sum(len(read_thread_times()) for _ in range(20))
    assert (time.process_time() - start) / threads < 1e-3
