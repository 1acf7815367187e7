"""Check that a cluster's trials can reach an MLflow server."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from harness.clusters.check.cluster_file import ClusterFile
from harness.clusters.check.mlflow_password import LOOPBACK, check_clients, check_server_password, find_host
from harness.clusters.check.shell_parser import COMMAND_OUTPUT, ProgramCall, parse_programs
from harness.io.yaml_parser import Location

ALL_ADDRESSES = {"0.0.0.0", "::", "[::]", "*"}  # noqa: S104 (addresses that the check refuses)
SERVER_FIELDS = ("setup_commands", "head_setup_commands", "head_start_ray_commands")
INDIRECT_STARTERS = {"docker", "podman", "service", "systemctl", "tmux", "screen", "python", "python3", "sh"}
"""Programs that may start a server without naming it in the file. The parser reads into bash commands itself."""
PRIVATE_ADDRESS = "Use the head's private address: --host $(hostname -I | cut -d' ' -f1)."


def check_tracking_uri(cluster: ClusterFile, role: str, location: Location, env: dict[str, str]) -> None:
    """Add a finding if the nodes of a role have no MLFLOW_TRACKING_URI that leads to the cluster's server.

    Args:
        role: ``head`` or ``worker``.
        location: Location of the role's `ray start` command.
        env: Variables that the command exports.
    """
    uri = env.get("MLFLOW_TRACKING_URI", "")
    near = "MLFLOW_TRACKING_URI"
    address = "$RAY_HEAD_IP:5000" if role == "worker" else "<address of the head>:5000"
    remedy = f"Export MLFLOW_TRACKING_URI=http://{address}."
    if not uri:
        what = "MLFLOW_TRACKING_URI is not exported, so trials cannot find the record"
        cluster.add_error(location, what, remedy, "ray start")
        return
    parts = urlsplit(uri)
    if parts.scheme in ("", "file", "sqlite"):
        cluster.add_error(location, f"{uri} can be used on one machine only, but trials run on several", remedy, near)
    elif cluster.has_workers and _find_host(uri).startswith(LOOPBACK):
        cluster.add_error(location, f"{uri} is the node itself, and workers run no MLflow server", remedy, near)
    if parts.password is not None:
        cluster.add_error(location, "the file contains a password", "See docs/record.md on credentials.", near)


def check_mlflow_server(cluster: ClusterFile, starts: Collection[tuple[Location, ProgramCall]]) -> None:
    """Add a finding if the head starts no MLflow server, or one that workers cannot reach or everyone can.

    Args:
        starts: The `ray start` commands of the nodes.
    """
    calls = [
        (location, call)
        for location, command in cluster.list_commands(*SERVER_FIELDS)
        for call in parse_programs(command)
    ]
    servers = [(location, call) for location, call in calls if _starts_mlflow(call)]
    # An address that the file computes is taken for the head's.
    clients = [(location, call) for location, call in starts if _leads_to_head(call)]
    uris_of_head = {call.env["MLFLOW_TRACKING_URI"] for _, call in clients}
    for location, call in servers:
        _check_server(cluster, location, call, uris_of_head)
        check_server_password(cluster, location, call)
    check_clients(cluster, clients, [call for _, call in servers])
    if uris_of_head and not servers:
        # A program of the first kind may start MLflow where this check cannot see it.
        is_hidden = any(call.words[0] in INDIRECT_STARTERS or call.words[0].endswith(".sh") for _, call in calls)
        add_finding = cluster.add_warning if is_hidden else cluster.add_error
        add_finding(
            ("head_start_ray_commands",),
            "MLFLOW_TRACKING_URI is the head, but no command starts MLflow there",
            "Start it before `ray start`, as the shipped cluster.yaml does.",
        )


def _leads_to_head(call: ProgramCall) -> bool:
    """Return whether the MLFLOW_TRACKING_URI of a `ray start` command is an address of the head."""
    uri = call.env.get("MLFLOW_TRACKING_URI", "")
    return COMMAND_OUTPUT in uri or "$RAY_HEAD_IP" in uri


def _starts_mlflow(call: ProgramCall) -> bool:
    """Return whether a program is `mlflow server` or `mlflow ui`."""
    return "mlflow" in call.words[:3] and bool({"server", "ui"} & set(call.words[:4]))


def _check_server(cluster: ClusterFile, location: Location, call: ProgramCall, uris: Collection[str]) -> None:
    """Add a finding about address and port of an MLflow server.

    Args:
        uris: The values of MLFLOW_TRACKING_URI that lead to the head.
    """
    host = find_host(call)
    port = call.options.get("--port", call.options.get("-p", call.env.get("MLFLOW_PORT", "5000")))
    if host in ALL_ADDRESSES:
        cluster.add_error(
            location,
            "MLflow listens on every address, including public ones",
            PRIVATE_ADDRESS,
            "--host",
        )
    elif cluster.has_workers and host.startswith(LOOPBACK):
        cluster.add_error(
            location, f"MLflow listens on {host}, which no worker can reach", PRIVATE_ADDRESS, "mlflow server"
        )
    for uri in uris:
        expected = urlsplit(uri).netloc.rpartition(":")[2]
        if expected != port:
            cluster.add_error(
                location,
                f"MLflow listens on port {port}, but MLFLOW_TRACKING_URI has {expected}",
                "Use one port in both.",
                near="mlflow server",
            )


def _find_host(uri: str) -> str:
    """Return the host of a URI, without credentials and port."""
    return urlsplit(uri).netloc.rpartition("@")[2].rpartition(":")[0] or urlsplit(uri).netloc
