"""Check that a cluster's file installs the versions of this machine, because both sides must run the same Ray."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.clusters.check.cluster_file import ClusterFile
from harness.clusters.check.local_paths import is_local_file, local_path
from harness.clusters.check.shell_parser import parse_programs
from harness.io.yaml_parser import Location

PIN = re.compile(r"(?<![\w.-])([A-Za-z][\w.-]*)(?:\[[\w,\s-]*\])?\s*==\s*([0-9][\w.!+]*)")
WHEEL = re.compile(r"\b(ray|depthbench)-(\d+(?:\.\d+)+)[\w.+]*-")
IMAGE = re.compile(r"\bray(?:-ml|-llm)?:(\d+\.\d+\.\d+)")
PYTHON = re.compile(r"--python[= ]'?(?:cpython-|python)?(\d)\.(\d+)|\bpython(?:==?)?(\d)\.(\d+)|-(?:py|cp)(\d)(\d+)\b")
UNPINNED_RAY = re.compile(r"\binstall\b.*(?<![\w./~-])ray(\[[\w,\s-]*\])?(?=['\"\s]|$)", re.DOTALL)
SETUP_FIELDS = ("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands")
IMAGE_FIELDS = ("image", "head_image", "worker_image")
MUST_BE_EQUAL = {"ray", "depthbench", "mlflow"}
"""Packages whose versions must be equal on both sides."""
SHOULD_BE_EQUAL = {"torch", "torchvision", "numpy"}
"""Packages whose versions change results, at least by rounding."""


def check_versions(cluster: ClusterFile) -> None:
    """Add a finding for each version that differs from the one on this machine, and for a Ray without a version."""
    texts: list[tuple[Location, str]] = cluster.list_commands(*SETUP_FIELDS)
    images = [key for key in IMAGE_FIELDS if cluster.has_field("docker", key)]
    texts += [(("docker", key), cluster.get_value(str, "docker", key)) for key in images]
    if not texts:
        cluster.add_warning((), "the file installs nothing on the nodes, so their versions cannot be checked")
        return
    is_pinned = False
    pythons: list[tuple[Location, tuple[int, ...]]] = []
    for location, text in texts:
        pins = [*PIN.findall(text), *WHEEL.findall(text), *(("ray", number) for number in IMAGE.findall(text))]
        for path in _list_constraint_files(cluster, text):
            pins += PIN.findall(path.read_text())
        for name, number in pins:
            is_pinned |= name.lower() == "ray"
            _compare_version(cluster, location, name.lower(), number)
        pythons += [(location, tuple(int(number) for number in numbers if number)) for numbers in PYTHON.findall(text)]
    _compare_pythons(cluster, pythons)
    if not is_pinned:
        _add_unpinned_ray(cluster, texts)


def _add_unpinned_ray(cluster: ClusterFile, texts: list[tuple[Location, str]]) -> None:
    """Add an error if a command installs Ray without a version, else a warning: an image may contain Ray."""
    remedy = f"Install 'ray[default]=={version('ray')}'."
    unpinned = next((location for location, text in texts if UNPINNED_RAY.search(text)), None)
    if unpinned is not None:
        cluster.add_error(unpinned, "Ray's version is not pinned", remedy)
    else:
        cluster.add_warning(texts[0][0], "Ray's version is not pinned in the commands of this file", remedy)


def _compare_version(cluster: ClusterFile, location: Location, name: str, on_nodes: str) -> None:
    """Add a finding if a package has another version on the nodes than on this machine."""
    try:
        here = version(name)
    except PackageNotFoundError:
        return
    # 2.15.0+cpu is the same release as 2.15.0.
    if name not in MUST_BE_EQUAL | SHOULD_BE_EQUAL or on_nodes.partition("+")[0] == here.partition("+")[0]:
        return
    what = f"{name} is {on_nodes} on the nodes and {here} here"
    if name in MUST_BE_EQUAL:
        cluster.add_error(location, what, f"Install {here} on the nodes, or {on_nodes} here.", on_nodes)
    else:
        cluster.add_warning(location, what, "Results of both sides differ, at least by rounding.", on_nodes)


def _compare_pythons(cluster: ClusterFile, pythons: list[tuple[Location, tuple[int, ...]]]) -> None:
    """Add a finding for each Python that differs from the one on this machine."""
    here = sys.version_info[:2]
    # If the file also installs the right Python, the other one may serve another purpose.
    is_installed = any(on_nodes == here for _, on_nodes in pythons)
    add_finding = cluster.add_warning if is_installed else cluster.add_error
    for location, on_nodes in pythons:
        if on_nodes != here:
            add_finding(
                location,
                f"Python is {'.'.join(map(str, on_nodes))} on the nodes and {'.'.join(map(str, here))} here",
                "Ray needs the same first two numbers on both sides.",
                "thon",
            )


def _list_constraint_files(cluster: ClusterFile, command: str) -> list[Path]:
    """Return the constraint files that a command uses and that the file copies from this machine."""
    mounts = cluster.get_value(dict, "file_mounts")
    local_paths = {str(remote): local for remote, local in mounts.items() if isinstance(local, str)}
    names = [call.options.get("--constraint", call.options.get("-c", "")) for call in parse_programs(command)]
    return [local_path(local_paths[name]) for name in names if is_local_file(local_paths.get(name, ""))]
