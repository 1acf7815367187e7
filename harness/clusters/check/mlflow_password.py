"""Check that a cluster's MLflow asks for a password, which the trials know and the file does not contain."""

from __future__ import annotations

from collections.abc import Sequence

from harness.clusters.check.cluster_file import ClusterFile
from harness.clusters.check.shell_parser import ProgramCall
from harness.io.yaml_parser import Location

LOOPBACK = ("127.", "localhost", "::1", "[::1]")
USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
ADMIN, ADMIN_PASSWORD = "MLFLOW_AUTH_ADMIN_USERNAME", "MLFLOW_AUTH_ADMIN_PASSWORD"
SETTINGS = "MLFLOW_AUTH_CONFIG_PATH"
COPY = "Copy the command of the shipped cluster.yaml, which makes the password from the cluster's token."


def find_host(call: ProgramCall) -> str:
    """Return the address on which an MLflow server listens."""
    return call.options.get("--host", call.options.get("-h", call.env.get("MLFLOW_HOST", "127.0.0.1")))


def check_server_password(cluster: ClusterFile, location: Location, call: ProgramCall) -> None:
    """Add an error for an MLflow server that other machines reach and that asks for no password."""
    _check_literal(cluster, location, call, ADMIN_PASSWORD)
    if find_host(call).startswith(LOOPBACK):
        return
    if not call.options.get("--app-name"):
        cluster.add_error(
            location,
            "MLflow asks for no password, so everyone who reaches its port can read, change and delete the record",
            f"Start it with --app-name basic-auth and a password in {ADMIN_PASSWORD}. {COPY}",
            "mlflow server",
        )
    elif call.options["--app-name"] == "basic-auth":
        if ADMIN_PASSWORD not in call.env and SETTINGS not in call.env:
            what = f"{ADMIN_PASSWORD} is not exported, and MLflow does not start without a password"
            cluster.add_error(location, what, COPY, "mlflow server")
        _check_installed(cluster, location)


def check_clients(
    cluster: ClusterFile, clients: Sequence[tuple[Location, ProgramCall]], servers: Sequence[ProgramCall]
) -> None:
    """Add an error for nodes whose trials cannot log in to the MLflow server of the head.

    Args:
        clients: The `ray start` commands of the nodes that use that server.
        servers: The commands that start it.
    """
    admins = {call.env.get(ADMIN, "admin") for call in servers if call.options.get("--app-name") == "basic-auth"}
    for location, call in clients:
        _check_literal(cluster, location, call, PASSWORD)
        missing = [name for name in (USER, PASSWORD) if not call.env.get(name)]
        if admins and missing:
            what = f"{' and '.join(missing)} {'are' if missing[1:] else 'is'} not exported, so trials cannot log in"
            cluster.add_error(location, f"{what} to MLflow", COPY, "ray start")
        elif len(admins) == 1 and "$" not in "".join(admins) + call.env.get(USER, "$") and call.env[USER] not in admins:
            what = f"{USER} is {call.env[USER]}, but the server's user is {', '.join(admins)}"
            cluster.add_error(location, what, f"Use one name in both. {ADMIN} is the server's.", USER)


def _check_literal(cluster: ClusterFile, location: Location, call: ProgramCall, name: str) -> None:
    """Add an error for a password that stands in the file."""
    value = call.env.get(name, "")
    if value and "$" not in value:
        cluster.add_error(location, "the file contains a password", COPY, name)


def _check_installed(cluster: ClusterFile, location: Location) -> None:
    """Add an error if the setup commands install Depthbench without what MLflow needs to ask for passwords."""
    setup = [command for _, command in cluster.list_commands("setup_commands", "head_setup_commands")]
    installs = [command for command in setup if "install" in command and "depthbench" in command]
    if installs and not any("auth" in command.replace("auth_token", "") for command in setup if "install" in command):
        what = "no command installs what MLflow's basic-auth needs"
        cluster.add_error(location, what, "Install depthbench[auth,cluster].", "mlflow server")
