"""Processes: their identity, and child processes that end with their block."""

import os
import subprocess
import sys
from tempfile import TemporaryFile

import psutil
import pytest

from harness.processes import Process, machine_memory, peak_resident_bytes, start_module


def test_current_process_has_not_ended():
    process = Process.current()
    assert process.is_local and not process.has_ended


def test_process_of_another_start_with_the_same_number_has_ended():
    assert Process.current().model_copy(update={"born": "1"}).has_ended


@pytest.mark.parametrize("changes", [{"host": "elsewhere"}, {"system": "another boot"}])
def test_process_of_another_host_is_never_known_to_have_ended(changes):
    process = Process.current().model_copy(update={"born": "1", **changes})
    assert not process.is_local and not process.has_ended


def test_process_that_was_killed_and_not_yet_waited_for_has_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = Process.local(child.pid)
    assert not process.has_ended
    child.kill()
    # Waits until it is a zombie, and leaves it one.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process.has_ended
    child.wait()
    child.stdin.close()


def test_process_stored_before_is_recognised():
    """Leases and attempts of earlier versions hold the start in clock ticks since boot."""
    ticks = psutil.Process().create_time() - psutil.boot_time()
    process = Process.current()
    assert int(process.born) / os.sysconf("SC_CLK_TCK") == pytest.approx(ticks, abs=2)
    assert Process.model_validate_json(process.model_dump_json()) == process


def test_peak_memory_is_positive_and_below_that_of_the_machine():
    assert 0 < peak_resident_bytes() < machine_memory()


def test_start_module_runs_a_module_and_kills_it_at_the_end_of_the_block():
    with TemporaryFile() as errors:
        # Python's own interactive console reads its standard input until that ends.
        with start_module("code", subprocess.PIPE, errors, {"DEPTHBENCH_WORD": "hello"}, own_session=True) as process:
            process.stdin.write(b"import os; print(os.environ['DEPTHBENCH_WORD'], os.getsid(0), flush=True)\n")
            process.stdin.flush()
            assert process.stdout.readline().split()[-2:] == [b"hello", str(process.pid).encode()]
            assert process.poll() is None
        assert process.returncode == -9
        assert process.stdin.closed and process.stdout.closed
