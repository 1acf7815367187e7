"""Check the `ray start` commands of a cluster's file: ports, token, environment, and detection of lost nodes."""

from __future__ import annotations

from harness.clusters.check.cluster_file import ClusterFile
from harness.clusters.check.mlflow_server import ALL_ADDRESSES, check_mlflow_server, check_tracking_uri
from harness.clusters.check.shell_parser import ProgramCall, parse_programs
from harness.clusters.check.storage_paths import MAKE_TOKEN, TOKEN, check_storage_path
from harness.io.yaml_parser import Location

KEEPALIVE = ("RAY_grpc_client_keepalive_time_ms", "RAY_grpc_client_keepalive_timeout_ms")
"""Variables by which Ray closes a connection that is silently cut."""
HEALTH_CHECK = (
    "RAY_health_check_period_ms", "RAY_health_check_timeout_ms", "RAY_health_check_failure_threshold",
)  # fmt: skip
"""Variables by which the head declares a silent node dead."""
EQUAL_VARIABLES = (
    *KEEPALIVE, "DEPTHBENCH_STORAGE", "RAY_AUTH_MODE", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD",
)  # fmt: skip
"""Variables that must have one value on all nodes."""
NEEDED_OPTIONS = {"head": ("--head", "--autoscaling-config"), "worker": ("--address",)}


def check_start_commands(cluster: ClusterFile) -> None:
    """Add a finding for everything that the start commands lack, or open to the world."""
    roles = ("head", "worker") if cluster.has_workers else ("head",)
    calls = {role: found for role in roles if (found := _find_ray_start(cluster, role))}
    for role, (location, call) in calls.items():
        _check_options(cluster, role, location, call)
        _check_token(cluster, location, call)
        _check_lost_nodes(cluster, role, location, call)
        check_tracking_uri(cluster, role, location, call.env)
        check_storage_path(cluster, location, call.env)
    if len(calls) == 2:
        _check_equal_variables(cluster, calls["head"][1].env, *calls["worker"])
    check_mlflow_server(cluster, list(calls.values()))


def _find_ray_start(cluster: ClusterFile, role: str) -> tuple[Location, ProgramCall] | None:
    """Return the `ray start` command of a role with its location; add an error if there is none."""
    field = f"{role}_start_ray_commands"
    for location, command in cluster.list_commands(field):
        for call in parse_programs(command):
            if call.words[:2] == ["ray", "start"]:
                return location, call
    cluster.add_error(
        (field,),
        "these commands contain no `ray start`"
        if cluster.has_field(field)
        else f"{field} is missing, and Ray's default sets no record, no token and no detection of lost nodes",
        "Copy the one of the shipped cluster.yaml.",
    )
    return None


def _check_options(cluster: ClusterFile, role: str, location: Location, call: ProgramCall) -> None:
    """Add an error for each missing option of `ray start`, and for a dashboard that is open to the world."""
    options = NEEDED_OPTIONS[role]
    for option in options if cluster.has_workers else options[:1]:
        if option not in call.options:
            what = f"`ray start` lacks {option}"
            cluster.add_error(location, what, "Copy the command of the shipped cluster.yaml.", "ray start")
    if call.options.get("--dashboard-host") in ALL_ADDRESSES:
        cluster.add_error(
            location,
            "Ray's dashboard listens on every address, and anyone who reaches it can run code",
            "Write --dashboard-host=127.0.0.1; ssh still reaches it.",
            "--dashboard-host",
        )
    if role == "head" and cluster.provider == "local" and call.env.get("RAY_enable_autoscaler_v2") != "0":
        cluster.add_error(
            location,
            "version 2 of Ray's autoscaler starts one worker too few on such machines, and restarts none (Ray 2.60)",
            "Export RAY_enable_autoscaler_v2=0 before `ray start` on the head.",
            "ray start",
        )


def _check_token(cluster: ClusterFile, location: Location, call: ProgramCall) -> None:
    """Add an error if Ray's ports need no token, or if the token is written in the file."""
    if call.env.get("RAY_AUTH_MODE") != "token":
        cluster.add_error(
            location,
            "Ray's ports need no token, and anyone who reaches them can run code",
            f"Export RAY_AUTH_MODE=token before `ray start`, and mount {TOKEN}.",
            "RAY_AUTH_MODE",
        )
    if "RAY_AUTH_TOKEN" in call.env:
        what = "the file contains the token"
        cluster.add_error(location, what, f"Mount {TOKEN} instead. {MAKE_TOKEN}", "RAY_AUTH_TOKEN")


def _check_lost_nodes(cluster: ClusterFile, role: str, location: Location, call: ProgramCall) -> None:
    """Add a finding if a lost connection or a lost node is detected late."""
    if not cluster.has_workers:
        return
    if not all(name in call.env for name in KEEPALIVE):
        cluster.add_error(
            location,
            "without keepalive, a silently lost connection stalls trials for seven minutes",
            f"Export {KEEPALIVE[0]}=10000 {KEEPALIVE[1]}=5000 before `ray start`, on every node.",
            "ray start",
        )
    if role == "head" and not all(name in call.env for name in HEALTH_CHECK):
        period, timeout, threshold = HEALTH_CHECK
        cluster.add_warning(
            location,
            "Ray declares a silent node dead after a minute; with the health checks of cluster.yaml after 12 s",
            f"Export {period}=1000 {timeout}=3000 {threshold}=3 before `ray start` on the head.",
            "ray start",
        )


def _check_equal_variables(
    cluster: ClusterFile, head: dict[str, str], location: Location, worker_call: ProgramCall
) -> None:
    """Add an error for each variable that has another value on the workers (at ``location``) than on the head."""
    worker = worker_call.env
    for name in EQUAL_VARIABLES:
        if name in head and name in worker and head[name] != worker[name]:
            is_secret = name.endswith("PASSWORD")
            what = f"{name} is {worker[name]} here and {head[name]} on the head"
            what = f"{name} is another one here than on the head" if is_secret else what
            cluster.add_error(location, what, "Use one value on all nodes.", near=f"{name}=")
