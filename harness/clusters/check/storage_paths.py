"""Where a cluster's file puts what has to last, and what it puts on the nodes: checkpoints, the project, the token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from harness.clusters.check.cluster_file import ClusterFile
from harness.clusters.check.shell_parser import parse_programs
from harness.io.yaml_parser import Location

TOKEN = "~/.ray/auth_token"  # noqa: S105 (a path)
MAKE_TOKEN = "`ray get-auth-token --generate` makes it."  # noqa: S105 (a sentence)
OF_ONE_MACHINE = ("/tmp", "/var/tmp", "/dev/shm", "/root")  # noqa: S108 (what is looked for)
HOMES = ("/home", "~", "$HOME")
"""Shared by all machines of many clusters, and by those of many others not."""


def check_storage_path(sheet: ClusterFile, at: Location, env: dict[str, str]) -> None:
    """Note a place of checkpoints, exported by the command at ``at``, that dies with a node or takes nothing."""
    place = env.get("DEPTHBENCH_STORAGE", "")
    near = "DEPTHBENCH_STORAGE"
    if not place:
        sheet.error(
            at,
            "DEPTHBENCH_STORAGE is not exported: checkpoints would die with their node",
            "Export a place that outlives nodes: s3://BUCKET/PREFIX, or a folder that all machines share.",
            "ray start",
        )
        return
    local = "://" not in place or place.startswith(("file://", "memory://", "local://"))
    path = place.removeprefix("file://")
    if local and (sheet.provider != "local" or place.startswith("memory://")) and not _mounted(sheet, path):
        sheet.error(
            at,
            f"{place} dies with its node, and the checkpoints with it",
            "Write s3://BUCKET/PREFIX; or mount a shared file system there in setup_commands.",
            near,
        )
    elif local and _below(path, HOMES) and not _mounted(sheet, path):
        sheet.warning(at, f"{place} is a home: do all machines share it?", "If not, write a folder that they do.", near)
    elif local and _below(path, OF_ONE_MACHINE) and not _mounted(sheet, path):
        sheet.error(
            at,
            f"{place} lies on one machine: a trial could not go on elsewhere",
            "Write a folder that all machines share (NFS).",
            near,
        )
    if place.startswith("s3://my-bucket"):
        sheet.warning(at, f"{place} is the example's bucket", "Write your own.", near)
    if place.startswith("s3"):
        _s3(sheet, at)


def check_mounts(sheet: ClusterFile) -> None:
    """Note what should be on the nodes and is not, and files that are not here."""
    mounts = sheet.get(dict, "file_mounts")
    if not any(str(remote).endswith(TOKEN.removeprefix("~/")) for remote in mounts):
        sheet.error(("file_mounts",), "the token is on no node", f"Mount it: {{{TOKEN}: {TOKEN}}}; {MAKE_TOKEN}")
    for remote, local in mounts.items():
        if isinstance(local, str) and not Path(local).expanduser().exists():
            remedy = "Call harness and ray where the file says: paths are taken from the working directory."
            remedy = MAKE_TOKEN if local.endswith("auth_token") else remedy
            sheet.error(("file_mounts", remote), f"there is no {local} here", remedy[0].upper() + remedy[1:])
    own = sheet.get(str, "auth", "ssh_private_key")
    if sheet.provider == "local" and sheet.has_workers and not own:
        sheet.error(
            ("auth",),
            "ssh_private_key is missing: the head could not reach the workers",
            "Name a key that all machines accept; Ray copies it to the head.",
        )
    elif sheet.provider == "local" and own and not Path(own).expanduser().is_file():
        sheet.error(("auth", "ssh_private_key"), f"there is no {own} here", "`ssh-keygen` makes a key.")


def _below(path: str, places: Sequence[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _s3(sheet: ClusterFile, at: Location) -> None:
    setup = [command for _, command in sheet.commands("setup_commands", "worker_setup_commands")]
    if setup and not any("s3" in command for command in setup):
        sheet.error(at, "nothing installs s3fs, which writes to s3://", "Install depthbench[cluster,s3].", "s3://")
    if sheet.provider != "aws":
        return
    for name in sheet.get(dict, "available_node_types"):
        place = ("available_node_types", name, "node_config")
        if name != sheet.head_type and not {"IamInstanceProfile", "LaunchTemplate"} & set(sheet.get(dict, *place)):
            sheet.error(
                place,
                "workers of this type have no role: they may not write to the bucket",
                "Give them an IamInstanceProfile that may; `harness cluster roles` makes one.",
            )


def _mounted(sheet: ClusterFile, path: str) -> bool:
    """Whether a set-up command mounts something at ``path`` or above, or all that the machine's own table names."""
    lists = ("initialization_commands", "setup_commands", "worker_setup_commands", "worker_start_ray_commands")
    above = {str(parent) for parent in (PurePosixPath(path), *PurePosixPath(path).parents)} - {"/", "."}
    return any(
        run.words[0].startswith("mount") and ("-a" in run.words or above & {word.rstrip("/") for word in run.words})
        for _, command in sheet.commands(*lists)
        for run in parse_programs(command)
    )
