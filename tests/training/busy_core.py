"""A real process that uses the core of the test."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_waiting_times = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this system does not report how long threads wait"
)


@contextmanager
def busy_process_on_this_core():
    """Run a process that only computes, on the one core that this thread may use within the block."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])  # The child inherits the core.
    try:
        yield
    finally:
        process.kill()
        process.wait()
        os.sched_setaffinity(0, allowed)
