"""The lab: its hosts are separated as real hosts are, and none of them outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from multi_host.lab import REPOSITORY, Lab, lab_obstacle

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def hosts(lab):
    """The lab with the laptop and two hosts."""
    lab.up(2)
    return lab


def ssh(lab, host, line, **options):
    """Run a shell line on a host by ssh from the laptop."""
    options = {"check": True, **options}
    quiet = "-o StrictHostKeyChecking=no -o ConnectTimeout=2 -o LogLevel=ERROR"
    return lab.exec("h0", f"ssh -i {lab.KEY} {quiet} {lab.address(host)} '{line}'", **options)


def test_hosts_of_a_killed_process_end_and_the_next_lab_waits_for_that():
    # This test comes first, because the fixture of the others makes a lab that lives on.
    if reason := lab_obstacle():
        pytest.skip(reason)
    code = "import time; from multi_host.lab import Lab\n"
    code += "lab = Lab(); lab.up(1); print(lab.folder, flush=True); time.sleep(99)"
    command = [sys.executable, "-c", code]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    owner = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    folder = Path(owner.stdout.readline().strip())
    with pytest.raises(TimeoutError, match="another lab"):
        Lab(wait=0.2)
    hosts = [pid for pid in _processes() if f"LAB={folder}" in _environment(pid)]
    assert hosts
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    end = time.monotonic() + 10
    while any(f"LAB={folder}" in _environment(pid) for pid in hosts):
        assert time.monotonic() < end, "a host outlived its lab"
        time.sleep(0.05)
    Lab(wait=5).down()
    assert not folder.exists()


def test_host_has_its_own_address_name_and_processes(hosts):
    assert ssh(hosts, "h2", "hostname; hostname -I; echo $$").stdout.split()[:2] == ["h2", "10.77.0.12"]
    assert int(ssh(hosts, "h2", "echo $$").stdout) < 1000
    assert "sshd" in ssh(hosts, "h2", "ps -ef").stdout
    assert str(os.getpid()) not in ssh(hosts, "h2", "ps -eo pid").stdout.split()


def test_host_sees_the_project_read_only_and_its_own_disk(hosts):
    ssh(hosts, "h1", "touch /tmp/only-on-h1 /root/only-on-h1; echo all > /mnt/shared-by-all")
    assert ssh(hosts, "h2", "ls /tmp/only-on-h1 /root/only-on-h1", check=False).returncode != 0
    assert ssh(hosts, "h2", "cat /mnt/shared-by-all").stdout == "all\n"
    assert not Path("/tmp/only-on-h1").exists()
    printed = ssh(hosts, "h1", 'python -c "import harness, sys; print(harness.__file__, sys.prefix)"').stdout.split()
    assert printed == [str(REPOSITORY / "harness/__init__.py"), sys.prefix]
    for directory in (REPOSITORY, sys.prefix, "/etc"):
        assert "Read-only file system" in ssh(hosts, "h1", f"touch {directory}/x", check=False).stderr


def test_disconnected_host_is_silent_until_it_is_connected_again(hosts):
    hosts.cut("h1")
    assert "timed out" in ssh(hosts, "h1", "true", check=False).stderr
    assert hosts.is_running("h1")
    hosts.heal("h1")
    assert ssh(hosts, "h1", "echo back").stdout == "back\n"


def test_powered_off_host_starts_again_with_an_empty_disk(hosts):
    ssh(hosts, "h2", "touch /root/only-on-h1")
    hosts.kill("h2")
    assert not hosts.is_running("h2")
    assert ssh(hosts, "h2", "true", check=False).returncode == 255
    hosts.boot("h2")
    assert ssh(hosts, "h2", "ls /root/only-on-h1", check=False).returncode == 2


def test_command_over_its_time_limit_is_killed(hosts):
    with pytest.raises(subprocess.TimeoutExpired):
        hosts.exec("h1", "sleep 4321", timeout=0.5)
    assert "sleep 4321" not in hosts.exec("h1", "ps -eo args").stdout
    with pytest.raises(RuntimeError, match="ended with 3"):
        hosts.exec("h1", "exit 3")


def _processes():
    """Return the ids of all processes on this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(pid):
    """Return the environment of a process as text; empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""
