"""What a machine without token and password can do at the ports of another one; runs on a host of the lab.

``python intruder.py ADDRESS PORT ...`` prints as JSON for each port how the program there answers a stranger:
``ssh``, ``refused`` (HTTP 401 or gRPC's UNAUTHENTICATED for everything that it offers), ``metrics`` (Prometheus
figures, which can only be read), or what it let the stranger do.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys

import grpc

PAGES = ("/", "/metrics", "/version", "/api/version", "/api/job_agent/jobs/", "/get_or_create_runtime_env")
PAGES += ("/api/2.0/mlflow/experiments/search", "/ajax-api/2.0/mlflow/experiments/search", "/graphql", "/v1/traces")
CALLS = (
    "NodeInfoGcsService/CheckAlive",
    "InternalKVGcsService/InternalKVGet",
    "NodeManagerService/GetNodeStats",
    "ObjectManagerService/Pull",
    "RayletDriver/ClusterInfo",
    "LogService/StreamLog",
    "ReporterService/GetTraceback",
    "CoreWorkerService/NumPendingTasks",
)
"""One call of each service of Ray."""
SECONDS = 5


def describe_port(address: str, port: int) -> str:
    """Return how the program at a port answers a stranger."""
    with socket.create_connection((address, port), timeout=SECONDS) as connection:
        connection.settimeout(0.5)
        try:
            if connection.recv(4) == b"SSH-":
                return "ssh"
        except TimeoutError:
            # Other protocols wait for the client.
            pass
    answers = {(method, page): ask_page(address, port, method, page) for method in ("GET", "POST") for page in PAGES}
    if any(status for status, _ in answers.values()):
        statuses = {status for status, _ in answers.values()}
        if statuses == {401}:
            return "refused"
        if statuses <= {200, 405} and "# TYPE" in answers["GET", "/"][1]:
            return "metrics"
        return f"HTTP {sorted(statuses)}"
    with grpc.insecure_channel(f"{address}:{port}") as channel:
        codes = {call: ask_service(channel, call) for call in CALLS}
    if set(codes.values()) <= {"UNAUTHENTICATED", "UNIMPLEMENTED"} and "UNAUTHENTICATED" in codes.values():
        return "refused"
    return f"gRPC {codes}"


def ask_page(address: str, port: int, method: str, page: str) -> tuple[int, str]:
    """Return status and text of an HTTP answer; (0, "") if the program speaks another protocol."""
    connection = http.client.HTTPConnection(address, port, timeout=SECONDS)
    try:
        connection.request(method, page, body=b"{}" if method == "POST" else None)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def ask_service(channel: grpc.Channel, call: str) -> str:
    """Return the name of the status with which a gRPC server answers an empty request."""
    try:
        channel.unary_unary(f"/ray.rpc.{call}")(b"", timeout=SECONDS)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


if __name__ == "__main__":
    print(json.dumps({port: describe_port(sys.argv[1], int(port)) for port in sys.argv[2:]}))
