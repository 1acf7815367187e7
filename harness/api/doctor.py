"""What is installed, which devices, which store, which data sets are at hand."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.errors import HarnessError

PACKAGES = ("torch", "torchvision", "ray", "mlflow", "fvcore", "pydantic", "numpy", "pandas", "scipy", "scikit-learn")
OPTIONAL = ("ray", "mlflow", "fvcore")
"""Without these the inline launcher with ``--tracking-uri none`` still works."""


@dataclass(frozen=True)
class Finding:
    """``state`` is ok, absent (something does without it) or broken."""

    state: str
    what: str
    found: str


def examine(tracking_uri: str | None, home: Path, data_root: str | Path | None) -> list[Finding]:
    """Look at everything; writes nothing."""
    return [
        Finding("ok", "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *_packages(),
        *_devices(),
        _store(tracking_uri, home),
        *_data(data_root),
    ]


def _packages() -> Iterator[Finding]:
    for package in PACKAGES:
        try:
            yield Finding("ok", package, version(package))
        except PackageNotFoundError:
            state = "absent" if package in OPTIONAL else "broken"
            yield Finding(state, package, "not installed")
    try:
        import torch
        from torchvision.ops import nms

        nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
        yield Finding("ok", "torchvision's compiled operators", "they load beside this torch")
    except (ImportError, RuntimeError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
        yield Finding(
            "broken", "torchvision's compiled operators", f"{reason}; install a matching pair of torch and torchvision"
        )


def _devices() -> Iterator[Finding]:
    from harness.launchers.resources import count_cores

    try:
        import torch

        from harness.training.device import cpu_name
    except ImportError:
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield Finding("ok", "CPU", f"{cpu_name()}, {count_cores()} cores, {memory:.0f} GiB of memory")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield Finding("ok", f"GPU {index}", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    if not torch.cuda.is_available():
        yield Finding("absent", "GPU", "none that torch can use")


def _store(option: str | None, home: Path) -> Finding:
    from harness.tracking.mlflow_record.store.addresses import (
        NO_STORE,
        choose_tracking_uri,
        find_sqlite_file,
        redact_passwords,
    )
    from harness.tracking.mlflow_record.store.client import has_store

    uri = choose_tracking_uri(option, home)
    shown = redact_passwords(uri)
    file = find_sqlite_file(uri)
    if uri == NO_STORE:
        return Finding("ok", "store", f"journals in {home}")
    if file is not None and not file.exists():
        return Finding("ok", "store", f"{shown} (to be created by the first run)")
    try:
        found = has_store(uri)
    except HarnessError as error:
        return Finding("broken", "store", str(error))
    return Finding("ok", "store", shown if found else f"{shown} (its tables are to be made by the first run)")


def _data(root: str | Path | None) -> Iterator[Finding]:
    from harness.data.registry import DATA_SOURCES, locate_files
    from harness.specs import DataSpec

    for name in DATA_SOURCES:
        if name == "imagefolder" and root is None:
            continue
        try:
            where, files = locate_files(DataSpec(name=name, root=None if root is None else str(root)))
            yield Finding("ok", f"data: {name}", f"{len(files)} files" + (f" in {where}" if where != Path() else ""))
        except HarnessError as error:
            yield Finding("absent", f"data: {name}", error.remedy)
