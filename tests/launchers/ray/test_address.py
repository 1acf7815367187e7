"""The address of a Ray cluster is checked before Ray's client connects."""

import socket
import threading

import pytest

from harness.errors import HarnessError
from harness.launchers.ray.address import require_ray_at


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_open_port_of_another_program_is_refused(greeting):
    """Without the check, Ray's client would try for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            connection.sendall(greeting)
            if greeting:
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(HarnessError, match="at this address is not Ray") as caught:
            require_ray_at(address, timeout=1)
    assert address in caught.value.where and "6379" in caught.value.remedy
