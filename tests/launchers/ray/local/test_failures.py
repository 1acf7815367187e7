"""Why Ray did not start: each cause has its own words, field and remedy."""

import resource
import socket
from types import SimpleNamespace

import psutil
import pytest

from harness.launchers.ray.local import failures
from harness.launchers.ray.local.failures import explain_start

TIMEOUT = "Timed out waiting for file /tmp/ray/session_x/gcs_server_port_b27a"
EXCEPTIONS = {
    "descriptors": (OSError(24, "Too many open files"), "ulimit -n", "ulimit -n 4096"),
    "disk": (OSError(28, "No space left on device"), "TMPDIR", "RAY_TMPDIR"),
    "quota": (OSError(122, "Disk quota exceeded"), "TMPDIR", "RAY_TMPDIR"),
    "read-only": (OSError(30, "Read-only file system"), "permissions", "HOME"),
    "permission": (PermissionError(13, "Permission denied", "/root/.ray"), "permissions", "HOME"),
    "memory": (OSError(12, "Cannot allocate memory"), "memory", "1 GiB"),
    "processes": (BlockingIOError(11, "Resource temporarily unavailable"), "ulimit -u", "4096"),
    "threads": (RuntimeError("can't start new thread"), "ulimit -u", "4096"),
    "port": (RuntimeError("bind: Address already in use [system:98]"), "ports", "ss -ltnp"),
}


@pytest.fixture(autouse=True)
def healthy(monkeypatch):
    """Simulate a machine on which nothing is wrong."""
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**34))
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, port: [])
    for name in failures.PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def check(error, where, word):
    assert error.where == where
    assert error.what.startswith("Ray did not start on this machine: ")
    assert word in error.remedy and "--launcher inline" in error.remedy
    assert "--address" not in error.remedy and "ray up" not in error.remedy
    assert "\n" not in str(error) and len(str(error)) < 700


@pytest.mark.parametrize("case", EXCEPTIONS)
def test_cause_is_found_in_the_exception(tmp_path, case):
    error, where, word = EXCEPTIONS[case]
    check(explain_start(error, tmp_path), where, word)


@pytest.mark.parametrize("case", EXCEPTIONS)
def test_cause_is_found_behind_the_exception(tmp_path, case):
    error, where, word = EXCEPTIONS[case]
    outer = RuntimeError("Failed to start the node")
    outer.__cause__ = error
    check(explain_start(outer, tmp_path), where, word)


@pytest.mark.parametrize("case", EXCEPTIONS)
def test_cause_is_found_in_the_log_of_a_process_that_died(tmp_path, case):
    error, where, word = EXCEPTIONS[case]
    logs = tmp_path / "session_2026-11-26_17-56-54_283599_24285" / "logs"
    logs.mkdir(parents=True)
    (logs / "raylet.err").write_text(f"[2026-11-26 17:40:19,613 C 8752 8752] main.cc:1: Check failed: {error}\n")
    (logs / "gcs_server.out").write_text("[2026-11-26 17:40:19,613 I 8684 8684] started\n")
    explained = explain_start(RuntimeError(TIMEOUT), tmp_path)
    check(explained, where, word)
    assert "Check failed" in explained.what and "[2026" not in explained.what


def test_warnings_and_logs_of_processes_that_ray_can_do_without_are_no_cause(tmp_path):
    logs = tmp_path / "session_2026-11-26_17-56-54_283599_24285" / "logs"
    logs.mkdir(parents=True)
    (logs / "dashboard.log").write_text("Address already in use\n")
    (logs / "dashboard_agent.log").write_text(
        "2026-11-26 18:28:22,635\tWARNING http_server_agent.py:79 -- Failed to bind to port 52365 (attempt 1/6)\n"
    )
    (logs / "gcs_server.out").write_text("[2026-11-26 17:40:19,613 W 8752 8752] a.cc:1: Address already in use\n")
    (logs / "raylet.out").write_text("[2026-11-26 17:40:19,613 C 8752 8752] main.cc:1: Check failed: surprise\n")
    explained = explain_start(RuntimeError(TIMEOUT), tmp_path)
    check(explained, "--launcher ray", "Try again")
    assert "Timed out" in explained.what and "surprise" in explained.what


def test_limit_of_addresses_is_a_cause(tmp_path, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (2**31, 2**31))
    check(explain_start(RuntimeError(TIMEOUT), tmp_path), "ulimit -v", "ulimit -v unlimited")


def test_scarce_memory_is_a_cause(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=300 * 2**20))
    explained = explain_start(RuntimeError(TIMEOUT), tmp_path)
    check(explained, "memory", "1 GiB")
    assert "300 MiB" in explained.what


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "grpc_proxy", "ALL_PROXY"])
def test_proxy_is_a_cause(tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, "http://me:secret@proxy:3128")
    explained = explain_start(RuntimeError(TIMEOUT), tmp_path)
    check(explained, name, "no_proxy=127.0.0.1,localhost")
    assert "secret" not in str(explained)


def test_name_of_the_machine_without_an_address_is_a_cause(tmp_path, monkeypatch):
    def fail(name, port):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    check(explain_start(RuntimeError(TIMEOUT), tmp_path), "hostname", "/etc/hosts")
