"""Check this machine: installed packages, devices, the store and the data sets."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from harness.errors import HarnessError

PACKAGES = ("torch", "torchvision", "ray", "mlflow", "fvcore", "pydantic", "numpy", "pandas", "scipy", "scikit-learn")
OPTIONAL = ("ray", "mlflow", "fvcore")
"""Packages without which the inline launcher with ``--tracking-uri none`` still works."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        state: ``absent`` means that something works without it; ``broken`` means that something has to be mended.
        what: What was checked.
        found: The result, in words.
    """

    state: Literal["ok", "absent", "broken"]
    what: str
    found: str


def examine(tracking_uri: str | None, home: Path, data_root: str | Path | None) -> list[Finding]:
    """Check everything. Writes nothing.

    Args:
        data_root: Where to look for data sets; None: where each is usually kept.
    """
    return [
        Finding("ok", "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *_check_packages(),
        *_check_devices(),
        _check_store(tracking_uri, home),
        *_check_data(data_root),
    ]


def _check_packages() -> Iterator[Finding]:
    for package in PACKAGES:
        try:
            yield Finding("ok", package, version(package))
        except PackageNotFoundError:
            yield Finding("absent" if package in OPTIONAL else "broken", package, "not installed")
    operators = "torchvision's compiled operators"
    try:
        from harness.training.installation import check_torchvision_operators

        check_torchvision_operators()
        yield Finding("ok", operators, "they work with the installed torch")
    except (ImportError, RuntimeError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
        yield Finding("broken", operators, f"{reason}. Install versions of torch and torchvision that fit each other.")


def _check_devices() -> Iterator[Finding]:
    from harness.launchers.resources import count_cores

    try:
        from harness.training.device import cpu_name
        from harness.training.installation import list_gpus
    except ImportError:
        # Without torch, the check of packages says what is missing.
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield Finding("ok", "CPU", f"{cpu_name()}, {count_cores()} cores, {memory:.0f} GiB of memory")
    gpus = list_gpus()
    for index, (name, gpu_memory) in enumerate(gpus):
        yield Finding("ok", f"GPU {index}", f"{name}, {gpu_memory:.0f} GiB of memory")
    if not gpus:
        yield Finding("absent", "GPU", "none that torch can use")


def _check_store(tracking_uri: str | None, home: Path) -> Finding:
    from harness.tracking.mlflow_record.store.addresses import (
        NO_STORE,
        choose_tracking_uri,
        find_sqlite_file,
        redact_passwords,
    )
    from harness.tracking.mlflow_record.store.client import has_store

    uri = choose_tracking_uri(tracking_uri, home)
    address = redact_passwords(uri)
    file = find_sqlite_file(uri)
    if uri == NO_STORE:
        return Finding("ok", "store", f"none: the record is kept in the checkpoints in {home}")
    if file is not None and not file.exists():
        return Finding("ok", "store", f"{address} (the first run creates it)")
    try:
        is_complete = has_store(uri)
    except HarnessError as error:
        return Finding("broken", "store", str(error))
    return Finding("ok", "store", address if is_complete else f"{address} (the first run creates its tables)")


def _check_data(data_root: str | Path | None) -> Iterator[Finding]:
    from harness.data.registry import DATA_SOURCES, locate_files
    from harness.specs import DataSpec

    for name in DATA_SOURCES:
        if name == "imagefolder" and data_root is None:
            continue
        try:
            directory, files = locate_files(DataSpec(name=name, root=None if data_root is None else str(data_root)))
            place = f" in {directory}" if directory != Path() else ""
            yield Finding("ok", f"data: {name}", f"{len(files)} files{place}")
        except HarnessError as error:
            yield Finding("absent", f"data: {name}", error.remedy)
