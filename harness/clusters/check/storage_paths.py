"""Check where a cluster's file stores checkpoints, and which files it copies to the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from harness.clusters.check.cluster_file import ClusterFile
from harness.clusters.check.local_paths import exists_locally, is_local_file
from harness.clusters.check.shell_parser import parse_programs
from harness.io.yaml_parser import Location

TOKEN = "~/.ray/auth_token"  # noqa: S105 (a path)
MAKE_TOKEN = "`ray get-auth-token --generate` makes it."  # noqa: S105 (a sentence)
PATHS_OF_ONE_MACHINE = ("/tmp", "/var/tmp", "/dev/shm", "/root")  # noqa: S108 (paths that the check refuses)
HOMES = ("/home", "~", "$HOME")
"""Home directories, which all machines of some clusters share, and those of other clusters do not."""
MOUNT_FIELDS = ("initialization_commands", "setup_commands", "worker_setup_commands", "worker_start_ray_commands")


def check_storage_path(cluster: ClusterFile, location: Location, env: dict[str, str]) -> None:
    """Add a finding if checkpoints are lost with their node, or cannot be written.

    Args:
        location: Location of a `ray start` command.
        env: Variables that the command exports.
    """
    storage = env.get("DEPTHBENCH_STORAGE", "")
    near = "DEPTHBENCH_STORAGE"
    if not storage:
        cluster.add_error(
            location,
            "DEPTHBENCH_STORAGE is not exported, so checkpoints are lost with their node",
            "Export storage that outlives nodes: s3://BUCKET/PREFIX, or a folder that all machines share.",
            "ray start",
        )
        return
    is_local = "://" not in storage or storage.startswith(("file://", "memory://", "local://"))
    path = storage.removeprefix("file://")
    if is_local and not _is_mounted(cluster, path):
        if cluster.provider != "local" or storage.startswith("memory://"):
            cluster.add_error(
                location,
                f"{storage} is lost with its node, and so are the checkpoints",
                "Write s3://BUCKET/PREFIX, or mount a shared file system there in setup_commands.",
                near,
            )
        elif _is_below(path, HOMES):
            what = f"{storage} is a home directory, which not all machines may share"
            cluster.add_warning(location, what, "Check it, or write a folder that all machines share.", near)
        elif _is_below(path, PATHS_OF_ONE_MACHINE):
            cluster.add_error(
                location,
                f"{storage} exists on one machine only, so a trial cannot continue on another",
                "Write a folder that all machines share (NFS).",
                near,
            )
    if storage.startswith("s3://my-bucket"):
        cluster.add_warning(location, f"{storage} is the bucket of the example", "Write your own bucket.", near)
    if storage.startswith("s3"):
        _check_s3(cluster, location)


def check_mounts(cluster: ClusterFile) -> None:
    """Add a finding for a missing token, a missing key, and each file to copy that does not exist here."""
    mounts = cluster.get_value(dict, "file_mounts")
    if not any(str(remote).endswith(TOKEN.removeprefix("~/")) for remote in mounts):
        cluster.add_error(("file_mounts",), "the nodes have no token", f"Mount it: {{{TOKEN}: {TOKEN}}}. {MAKE_TOKEN}")
    for remote, local in mounts.items():
        if isinstance(local, str) and not exists_locally(local):
            remedy = "Run harness and ray where the file expects it: paths are relative to the working directory."
            remedy = MAKE_TOKEN if local.endswith("auth_token") else remedy
            cluster.add_error(("file_mounts", remote), f"there is no {local} here", remedy)
    if cluster.provider != "local":
        return
    key = cluster.get_value(str, "auth", "ssh_private_key")
    if cluster.has_workers and not key:
        cluster.add_error(
            ("auth",),
            "ssh_private_key is missing, so the head cannot reach the workers",
            "Name a key that all machines accept; Ray copies it to the head.",
        )
    elif key and not is_local_file(key):
        cluster.add_error(("auth", "ssh_private_key"), f"there is no {key} here", "`ssh-keygen` makes a key.")


def _is_below(path: str, directories: Sequence[str]) -> bool:
    """Return whether a path is one of some directories, or lies in one."""
    return any(path == directory or path.startswith(f"{directory}/") for directory in directories)


def _check_s3(cluster: ClusterFile, location: Location) -> None:
    """Add an error if s3fs is not installed, or if workers on AWS may not write to the bucket."""
    setup = [command for _, command in cluster.list_commands("setup_commands", "worker_setup_commands")]
    if setup and not any("s3" in command for command in setup):
        what = "no command installs s3fs, which writes to s3://"
        cluster.add_error(location, what, "Install depthbench[cluster,s3].", "s3://")
    if cluster.provider != "aws":
        return
    for name in cluster.get_value(dict, "available_node_types"):
        config = ("available_node_types", name, "node_config")
        has_role = {"IamInstanceProfile", "LaunchTemplate"} & set(cluster.get_value(dict, *config))
        if name != cluster.head_type and not has_role:
            cluster.add_error(
                config,
                "workers of this type have no role, so they may not write to the bucket",
                "Give them an IamInstanceProfile with that permission; `harness cluster roles` makes one.",
            )


def _is_mounted(cluster: ClusterFile, path: str) -> bool:
    """Return whether a command mounts a file system at ``path`` or above it, or everything in /etc/fstab."""
    parents = {str(parent) for parent in (PurePosixPath(path), *PurePosixPath(path).parents)} - {"/", "."}
    return any(
        call.words[0].startswith("mount")
        and ("-a" in call.words or bool(parents & {word.rstrip("/") for word in call.words}))
        for _, command in cluster.list_commands(*MOUNT_FIELDS)
        for call in parse_programs(command)
    )
