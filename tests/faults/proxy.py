"""A proxy in front of an MLflow server that disturbs requests at random: errors, resets, half answers, hangs."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS = ("429", "500", "503", "reset", "half answer", "commit, then reset", "hang", "hang, then commit")
"""What is done to a request. The last two hold it for longer than the client waits."""
HANG_SECONDS = 6.0
CLIENT_SECONDS = 3
"""The client's time limit in these sweeps, for MLFLOW_HTTP_REQUEST_TIMEOUT."""


class Proxy:
    """The proxy on a loopback port, in threads of this process.

    Args:
        port: Of the server behind it.
        seed: Of what is left to chance.
        share: Share of the requests that are disturbed.

    Attributes:
        injected: How often each kind was done.
    """

    def __init__(self, port: int, seed: str, share: float) -> None:
        self.upstream, self.random, self.share = port, random.Random(seed), share
        self.injected: Counter[str] = Counter()
        self.pending: list[str] = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self.server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def choose(self) -> str:
        """Return what to do to the next request; empty for nothing. All kinds come before one comes again."""
        with self.lock:
            if self.random.random() >= self.share:
                return ""
            if not self.pending:
                self.pending = self.random.sample(KINDS, len(KINDS))
            kind = self.pending.pop()
            self.injected[kind] += 1
            return kind

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""

    def handle_one_request(self) -> None:
        with suppress(OSError, ValueError):
            super().handle_one_request()
            return
        self.close_connection = True

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.proxy.choose()
        if kind.isdigit():
            self.answer(int(kind), [("Content-Type", "text/plain")], b"an error of the proxy")
            return
        if kind.startswith("hang"):
            time.sleep(HANG_SECONDS)
        if kind in ("reset", "hang"):
            self.reset()
            return
        status, headers, content = self.ask_server(body)
        if kind == "half answer":
            self.answer(status, headers, content, len(content) // 2)
        if kind:
            self.reset()
        else:
            self.answer(status, headers, content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

    def ask_server(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return the server's status, headers and content."""
        connection = HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=60)
        try:
            headers = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except (OSError, HTTPException) as error:
            return 502, [("Content-Type", "text/plain")], str(error).encode()
        finally:
            connection.close()

    def answer(self, status: int, headers: list[tuple[str, str]], content: bytes, length: int | None = None) -> None:
        """Send an answer, or its first ``length`` bytes under headers that promise all of them."""
        self.send_response_only(status)
        for key, value in headers:
            if key.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:length])
        self.wfile.flush()

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
