"""The address of a Ray cluster is checked before Ray's client connects."""

import socket
import threading

import pytest

from harness.errors import HarnessError
from harness.launchers.ray.address import ClusterAddress, find_address, require_ray_at
from harness.launchers.ray.launcher import RayLauncher
from harness.specs import Resources


@pytest.fixture(params=["--address", "RAY_ADDRESS"])
def give(request, monkeypatch):
    """Return a function that gives an address as an option or as a variable, and finds it; and which of both."""

    def find(address):
        if request.param == "--address":
            monkeypatch.delenv("RAY_ADDRESS", raising=False)
            return find_address(address)
        monkeypatch.setenv("RAY_ADDRESS", address)
        return find_address(None)

    return find, request.param


@pytest.mark.parametrize(
    "address",
    ["auto", "127.0.0.1:6379", "head:1", "ip-10-0-0-1.ec2.internal:65535", "[::1]:6379", "[fe80::1%eth0]:6379"],
)
def test_find_address_returns_an_address_with_its_source(give, address):
    find, source = give
    assert find(address) == ClusterAddress(address, source)


@pytest.mark.parametrize(
    ("option", "variable", "found"),
    [
        (None, "", None),
        (None, "  ", None),
        (None, "local", None),
        ("local", "", None),
        ("local", "head:6379", None),
        ("auto", "", ClusterAddress("auto")),
        ("auto", "head:6379", ClusterAddress("head:6379", "RAY_ADDRESS")),
        ("other:6379", "head:6379", ClusterAddress("other:6379")),
        ("other:6379", "nonsense", ClusterAddress("other:6379")),
    ],
)
def test_find_address_prefers_the_option_and_takes_an_empty_variable_for_none(monkeypatch, option, variable, found):
    monkeypatch.setenv("RAY_ADDRESS", variable)
    assert find_address(option) == found


@pytest.mark.parametrize(
    ("address", "what", "remedy"),
    [
        ("ray://head:10001", "Ray Client", "head:6379"),
        ("http://head:8265", "job server", "HOST:6379"),
        ("https://head", "job server", "HOST:6379"),
        ("redis://head:6379", "no address", "HOST:6379"),
        ("head", "no address", "HOST:6379"),
        ("head:", "no address", "HOST:6379"),
        (":6379", "no address", "HOST:6379"),
        ("head:ray", "no address", "HOST:6379"),
        ("::1:6379", "no address", "HOST:6379"),
        ("me@head:6379", "no address", "HOST:6379"),
        ("head 2:6379", "no address", "HOST:6379"),
        ("head:6379/x", "no address", "HOST:6379"),
        ("head:0", "no port 0", "HOST:6379"),
        ("head:70000", "no port 70000", "HOST:6379"),
        ("head:²", "no address", "HOST:6379"),
    ],
)
def test_address_without_the_right_form_is_refused_by_its_source(give, address, what, remedy):
    find, source = give
    with pytest.raises(HarnessError, match=what) as caught:
        find(address)
    assert caught.value.where == (f"--address {address}" if source == "--address" else f"RAY_ADDRESS={address}")
    away = "leave --address out" if source == "--address" else "unset RAY_ADDRESS"
    assert remedy in caught.value.remedy and away in caught.value.remedy


def test_empty_address_of_the_option_is_refused():
    """A script that writes --address "$HEAD" without a HEAD does not mean this machine."""
    with pytest.raises(HarnessError, match="is empty"):
        find_address("")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "no-such-host.invalid", f"{'x' * 64}.invalid", "a..b"])
def test_launcher_without_a_program_at_the_address_of_the_variable_names_the_variable(monkeypatch, host):
    monkeypatch.setenv("RAY_ADDRESS", f"{host}:9")
    with pytest.raises(HarnessError, match="no program answers") as caught:
        RayLauncher(Resources(), None)
    assert caught.value.where == f"RAY_ADDRESS={host}:9"
    assert "--address" not in str(caught.value)


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_open_port_of_another_program_is_refused(give, greeting):
    """Without the check, Ray's client would try for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            connection.sendall(greeting)
            if greeting:
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        find, source = give
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(HarnessError, match="at this address is not Ray") as caught:
            require_ray_at(find(address), timeout=1)
    assert address in caught.value.where and source in caught.value.where and "6379" in caught.value.remedy
