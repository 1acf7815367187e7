"""The processes of a local Ray cluster end with its launcher."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from harness.launchers.ray.launcher import RayLauncher
from harness.specs import Resources

pytestmark = pytest.mark.slow


def test_closed_launcher_leaves_no_process():
    import ray

    before = set(psutil.Process().children(recursive=True))
    launcher = RayLauncher(Resources(), None)
    assert ray.get(ray.remote(lambda: os.getpid()).remote()) != os.getpid()
    started = set(psutil.Process().children(recursive=True)) - before
    assert {"raylet", "gcs_server"} <= {process.name() for process in started}
    launcher.close()
    assert not ray.is_initialized()
    assert not psutil.wait_procs(started, timeout=5)[1]


def test_driver_adopted_by_init_survives_the_end_of_its_cluster(tmp_path):
    """Ray ends such a driver silently if the raylet is gone before the driver has disconnected."""
    script = tmp_path / "driver.py"
    script.write_text(
        "import os\n"
        "from harness.launchers.ray.launcher import RayLauncher\n"
        "from harness.specs import Resources\n"
        "launcher = RayLauncher(Resources(), None)\n"
        "print(os.getppid(), flush=True)\n"
        "launcher.close()\n"
        "print('closed', flush=True)\n"
    )
    log = tmp_path / "log.txt"
    command = '"$0" "$1" 3>&1 > "$2" 2>&1 &'
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    # The shell ends at once. The driver inherits its pipe, and the pipe closes when the driver has ended.
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(script), str(log)], env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == 0
    lines = log.read_text().split()
    assert lines[-1] == "closed", log.read_text()
    if lines[0] != "1":
        pytest.skip(f"process {lines[0]} adopts orphans here, not init")
