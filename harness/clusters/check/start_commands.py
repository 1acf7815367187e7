"""What the start commands of a cluster's file set up: the record, the storage, the token, and how cuts are noticed."""

from __future__ import annotations

from urllib.parse import urlsplit

from harness.clusters.check import storage_paths
from harness.clusters.check.cluster_file import ClusterFile
from harness.clusters.check.shell_parser import COMMAND_OUTPUT, ProgramCall, parse_programs
from harness.clusters.check.storage_paths import MAKE_TOKEN, TOKEN
from harness.io.yaml_parser import Location

LOOPBACK = ("127.", "localhost", "::1", "[::1]")
EVERYWHERE = {"0.0.0.0", "::", "[::]", "*"}  # noqa: S104 (what is looked for)
KEEPALIVE = ("RAY_grpc_client_keepalive_time_ms", "RAY_grpc_client_keepalive_timeout_ms")
STARTERS = {"docker", "podman", "service", "systemctl", "tmux", "screen", "python", "python3", "sh"}
"""Programs that may start a server which no word of the file names; bash is looked into."""
HEALTH = ("RAY_health_check_period_ms", "RAY_health_check_timeout_ms", "RAY_health_check_failure_threshold")


def check_start_commands(sheet: ClusterFile) -> None:
    """Note what the start commands leave out, and what they open to the world."""
    roles = ("head", "worker") if sheet.has_workers else ("head",)
    started = {role: found for role in roles if (found := _start(sheet, role))}
    for role, (at, run) in started.items():
        _ray(sheet, role, at, run)
        _uri(sheet, role, at, run.env)
        storage_paths.check_storage_path(sheet, at, run.env)
    if len(started) == 2:
        head, worker = started["head"][1].env, started["worker"][1].env
        for name in (*KEEPALIVE, "DEPTHBENCH_STORAGE", "RAY_AUTH_MODE"):
            if name in head and name in worker and head[name] != worker[name]:
                sheet.error(
                    started["worker"][0], f"{name} is {worker[name]} here and {head[name]} on the head", near=f"{name}="
                )
    _server(sheet, started)
    storage_paths.check_mounts(sheet)


def _start(sheet: ClusterFile, role: str) -> tuple[Location, ProgramCall] | None:
    field = f"{role}_start_ray_commands"
    for at, command in sheet.commands(field):
        for run in parse_programs(command):
            if run.words[:2] == ["ray", "start"]:
                return at, run
    sheet.error(
        (field,),
        "no `ray start` among these commands"
        if sheet.given(field)
        else f"{field} is missing: Ray's own sets up neither the record, nor the token, nor how cuts are noticed",
        "Take the one of the shipped cluster.yaml.",
    )
    return None


def _ray(sheet: ClusterFile, role: str, at: Location, run: ProgramCall) -> None:
    needed = {"head": ("--head", "--autoscaling-config"), "worker": ("--address",)}[role]
    for option in needed if sheet.has_workers else needed[:1]:
        if option not in run.options:
            sheet.error(at, f"`ray start` lacks {option}", "Take the command of the shipped cluster.yaml.", "ray start")
    if run.options.get("--dashboard-host") in EVERYWHERE:
        sheet.error(
            at,
            "Ray's dashboard listens on every address: whoever reaches it runs code",
            "Write --dashboard-host=127.0.0.1; it is reached through ssh.",
            "--dashboard-host",
        )
    if run.env.get("RAY_AUTH_MODE") != "token":
        sheet.error(
            at,
            "nobody is asked for a token: whoever reaches Ray's ports runs code",
            f"Export RAY_AUTH_MODE=token before `ray start`, and mount {TOKEN}.",
            "RAY_AUTH_MODE",
        )
    if "RAY_AUTH_TOKEN" in run.env:
        sheet.error(at, "a password stands in this file", f"Mount {TOKEN} instead; {MAKE_TOKEN}", "RAY_AUTH_TOKEN")
    if sheet.has_workers and not all(name in run.env for name in KEEPALIVE):
        sheet.error(
            at,
            "without keepalive a silent cut of the network stalls trials for seven minutes",
            f"Export {KEEPALIVE[0]}=10000 {KEEPALIVE[1]}=5000 before `ray start`, on every node.",
            "ray start",
        )
    if role == "head" and sheet.has_workers and not all(name in run.env for name in HEALTH):
        sheet.warning(
            at,
            "a silent node is called dead after a minute, with the health checks of the shipped file in 12 s",
            f"Export {HEALTH[0]}=1000 {HEALTH[1]}=3000 {HEALTH[2]}=3 before `ray start` on the head.",
            "ray start",
        )
    if role == "head" and sheet.provider == "local" and run.env.get("RAY_enable_autoscaler_v2") != "0":
        sheet.error(
            at,
            "Ray's autoscaler version 2 starts one worker too few of machines like these, and none again (Ray 2.60)",
            "Export RAY_enable_autoscaler_v2=0 before `ray start` on the head.",
            "ray start",
        )


def _uri(sheet: ClusterFile, role: str, at: Location, env: dict[str, str]) -> None:
    uri = env.get("MLFLOW_TRACKING_URI", "")
    near = "MLFLOW_TRACKING_URI"
    good = "Export MLFLOW_TRACKING_URI=http://" + ("$RAY_HEAD_IP:5000" if role == "worker" else "<its address>:5000")
    if not uri:
        sheet.error(
            at, "MLFLOW_TRACKING_URI is not exported: trials would not find the record", f"{good}.", "ray start"
        )
        return
    parts = urlsplit(uri)
    if parts.scheme in ("", "file", "sqlite"):
        sheet.error(at, f"{uri} is of one machine; trials run on several", f"{good}.", near)
    elif sheet.has_workers and _host(uri).startswith(LOOPBACK):
        sheet.error(at, f"{uri} is the node itself, where no MLflow runs, for every worker", f"{good}.", near)
    if parts.password is not None:
        sheet.error(at, "a password stands in this file", "See docs/record.md, stores and their credentials.", near)


def _host(uri: str) -> str:
    return urlsplit(uri).netloc.rpartition("@")[2].rpartition(":")[0] or urlsplit(uri).netloc


def _server(sheet: ClusterFile, started: dict[str, tuple[Location, ProgramCall]]) -> None:
    lists = ("setup_commands", "head_setup_commands", "head_start_ray_commands")
    servers = [
        (at, run)
        for at, command in sheet.commands(*lists)
        for run in parse_programs(command)
        if "mlflow" in run.words[:3] and {"server", "ui"} & set(run.words[:4])
    ]
    uris = {run.env.get("MLFLOW_TRACKING_URI", "") for _, run in started.values()} - {""}
    for at, run in servers:
        host = run.options.get("--host", run.options.get("-h", "127.0.0.1"))
        port = run.options.get("--port", run.options.get("-p", "5000"))
        if host in EVERYWHERE:
            sheet.error(
                at,
                "MLflow listens on every address, a public one too, and asks nobody for a password",
                "Give the head's private address: --host $(hostname -I | cut -d' ' -f1).",
                "--host",
            )
        elif sheet.has_workers and host.startswith(LOOPBACK):
            sheet.error(
                at,
                f"MLflow listens on {host}, which no worker reaches",
                "Give the head's private address: --host $(hostname -I | cut -d' ' -f1).",
                "mlflow server",
            )
        for uri in uris:
            theirs = urlsplit(uri).netloc.rpartition(":")[2]
            # An address that the file does not spell out is taken for the head's.
            if (COMMAND_OUTPUT in uri or "$RAY_HEAD_IP" in uri) and theirs != port:
                sheet.error(
                    at, f"MLflow listens on port {port}, and MLFLOW_TRACKING_URI says {theirs}", near="mlflow server"
                )
    if not servers and any(COMMAND_OUTPUT in uri or "$RAY_HEAD_IP" in uri for uri in uris):
        # What these start is not seen from here.
        hidden = any(
            run.words[0] in STARTERS or run.words[0].endswith(".sh")
            for _, command in sheet.commands(*lists)
            for run in parse_programs(command)
        )
        note = sheet.warning if hidden else sheet.error
        note(
            ("head_start_ray_commands",),
            "MLFLOW_TRACKING_URI is the head, and nothing starts MLflow there",
            "Start it before `ray start`, as the shipped cluster.yaml does.",
        )
