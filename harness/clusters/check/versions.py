"""Versions that a cluster's file installs, held against those here: both sides have to speak the same Ray."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.clusters.check.cluster_file import ClusterFile
from harness.clusters.check.shell_parser import parse_programs
from harness.io.yaml_parser import Location

PIN = re.compile(r"(?<![\w.-])([A-Za-z][\w.-]*)(?:\[[\w,\s-]*\])?\s*==\s*([0-9][\w.!+]*)")
WHEEL = re.compile(r"\b(ray|depthbench)-(\d+(?:\.\d+)+)[\w.+]*-")
IMAGE = re.compile(r"\bray(?:-ml|-llm)?:(\d+\.\d+\.\d+)")
PYTHON = re.compile(r"--python[= ]'?(?:cpython-|python)?(\d)\.(\d+)|\bpython(?:==?)?(\d)\.(\d+)|-(?:py|cp)(\d)(\d+)\b")
BARE = re.compile(r"\binstall\b.*(?<![\w./~-])ray(\[[\w,\s-]*\])?(?=['\"\s]|$)", re.DOTALL)
"""Ray, of whichever version there is."""
SAME = {"ray", "depthbench", "mlflow"}
"""These have to be the same on both sides."""
CLOSE = {"torch", "torchvision", "numpy"}
"""These change what training computes, in rounding at least."""


def check_versions(sheet: ClusterFile) -> None:
    """Note pinned versions that differ from those installed here, and a Ray that is not pinned."""
    lists = ("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands")
    texts: list[tuple[Location, str]] = sheet.commands(*lists)
    images = ("image", "head_image", "worker_image")
    texts += [(("docker", key), sheet.get(str, "docker", key)) for key in images if sheet.given("docker", key)]
    if not texts:
        sheet.warning((), "nothing is installed on the nodes: their versions are not seen from here")
        return
    pinned = False
    pythons: list[tuple[Location, tuple[int, ...]]] = []
    for at, text in texts:
        found = [*PIN.findall(text), *WHEEL.findall(text), *(("ray", number) for number in IMAGE.findall(text))]
        for name, theirs in found:
            pinned |= name.lower() == "ray"
            _compare(sheet, at, name.lower(), theirs)
        pythons += [(at, tuple(int(number) for number in numbers if number)) for numbers in PYTHON.findall(text)]
        for at_constraints, path in _constraints(sheet, at, text):
            for name, theirs in PIN.findall(path.read_text()):
                pinned |= name.lower() == "ray"
                _compare(sheet, at_constraints, name.lower(), theirs)
    _pythons(sheet, pythons)
    if not pinned:
        what, remedy = "Ray's version is not pinned", f"Install 'ray[default]=={version('ray')}'."
        bare = next((at for at, text in texts if BARE.search(text)), None)
        if bare is not None:
            sheet.error(bare, what, remedy)
        else:
            sheet.warning(texts[0][0], f"{what} in what is seen from here", remedy)


def _compare(sheet: ClusterFile, at: Location, name: str, theirs: str) -> None:
    try:
        ours = version(name)
    except PackageNotFoundError:
        return
    # 2.15.0+cpu is the same release as 2.15.0.
    if name not in SAME | CLOSE or theirs.partition("+")[0] == ours.partition("+")[0]:
        return
    what = f"{name} is {theirs} on the nodes and {ours} here"
    if name in SAME:
        sheet.error(at, what, f"Install {ours} on the nodes, or {theirs} here.", theirs)
    else:
        sheet.warning(at, what, "Results of the two sides differ, in rounding at least.", theirs)


def _pythons(sheet: ClusterFile, found: list[tuple[Location, tuple[int, ...]]]) -> None:
    ours = sys.version_info[:2]
    # Beside the one that is here, another one may be there for something else.
    note = sheet.warning if any(theirs == ours for _, theirs in found) else sheet.error
    for at, theirs in found:
        if theirs != ours:
            note(
                at,
                f"Python is {'.'.join(map(str, theirs))} on the nodes and {'.'.join(map(str, ours))} here",
                "Ray wants the same first two numbers on both sides.",
                "thon",
            )


def _constraints(sheet: ClusterFile, at: Location, text: str) -> list[tuple[Location, Path]]:
    """(place, local file) of the files of constraints that a command names and the file ships."""
    mounts = {str(remote): local for remote, local in sheet.get(dict, "file_mounts").items() if isinstance(local, str)}
    names = [run.options.get("--constraint", run.options.get("-c", "")) for run in parse_programs(text)]
    return [(at, path) for name in names if (path := Path(mounts.get(name, "")).expanduser()).is_file()]
