"""Where Python would find a module, by the rules of its own import, without importing anything."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    BuiltinImporter,
    FrozenImporter,
    PathFinder,
)
from pathlib import Path

from harness.errors import HarnessError
from harness.specs.network.import_statements import list_exports

SUFFIXES = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)
"""Endings of files that hold a module, in the order in which Python looks for them."""
INSTALLATIONS = ("site-packages", "dist-packages")
"""Names of the directories that installed packages are in."""
CHECKOUT = Path(__file__).resolve().parents[3]
"""The directory that the package harness is in."""
OWN_NAMES = ("harness", "__main__")
"""Modules that no file of a user can be: this package, and the running program."""


@dataclass(frozen=True)
class FoundModule:
    """A module outside the installed packages.

    Attributes:
        file: Its file; None for a namespace package, which is a directory without ``__init__.py``.
        locations: The directories in which its submodules are; empty if it is no package.
    """

    file: Path | None
    locations: tuple[Path, ...] = ()

    @property
    def is_package(self) -> bool:
        """Whether the module can have submodules."""
        return bool(self.locations)


class ModuleSearch:
    """Finds modules as Python does after a directory was put before Python's path.

    Modules of Python itself and of installed packages are not found: their versions identify them.

    Args:
        directory: The directory that is searched first.

    Attributes:
        known: What was found so far, by full name.
    """

    def __init__(self, directory: str) -> None:
        self.path = [
            Path(path) for path in dict.fromkeys([directory, *(str(Path(p).absolute()) for p in sys.path if p)])
        ]
        self.known: dict[str, FoundModule | None] = {}
        self._directory = Path(directory)

    def find(self, name: str) -> FoundModule | None:
        """Return a module; None if there is none outside the installed packages.

        Raises:
            HarnessError: A file has the name of an installed package.
        """
        if name not in self.known:
            parent, _, last = name.rpartition(".")
            if not last.isidentifier():
                self.known[name] = None
            elif not parent:
                self.known[name] = self._find_top(name)
            else:
                package = self.find(parent)
                self.known[name] = _find_in(last, package.locations) if package is not None else None
        return self.known[name]

    def search_all(self, name: str) -> Iterator[str]:
        """Yield the full names of the submodules that ``from package import *`` may import."""
        package = self.find(name)
        if package is None or package.file is None or not package.is_package or package.file.suffix != ".py":
            return
        exports = list_exports(package.file.read_bytes())
        if exports is None:
            exports = [path.name.partition(".")[0] for path in sorted(package.file.parent.iterdir())]
        yield from (f"{name}.{export}" for export in exports if export.isidentifier())

    @staticmethod
    def is_installed(path: Path) -> bool:
        """Return whether a file or directory belongs to an installed package, to Python itself, or to this package."""
        return _is_installed_directory(str(path)) or _is_installed_directory(str(path.parent))

    def _find_top(self, name: str) -> FoundModule | None:
        """Return a module that is in no package."""
        if name in OWN_NAMES or name in sys.stdlib_module_names:
            return None
        found, namespaces = None, []
        for directory in self.path:
            if directory == CHECKOUT != self._directory and not self.is_installed(directory):
                # Not every process has the checkout of this package on its path.
                continue
            module = _find_in(name, [directory])
            if module is None:
                continue
            if module.file is None:
                namespaces += [] if self.is_installed(directory) else list(module.locations)
            elif self.is_installed(directory):
                if found is not None:
                    raise _shadowing(name, found, module)
                return None
            elif found is None:
                found = module
        if found is None:
            found = _find_editable(name) or (FoundModule(None, tuple(namespaces)) if namespaces else None)
        return None if found is not None and found.file is not None and self.is_installed(found.file) else found


def _find_in(name: str, directories: Sequence[Path]) -> FoundModule | None:
    """Return a module in the first directory that has it; a namespace package if it is only a directory."""
    namespaces = []
    for directory in directories:
        for suffix in SUFFIXES:
            package = directory / name / f"__init__{suffix}"
            if package.is_file():
                return FoundModule(package, (package.parent,))
        for suffix in SUFFIXES:
            file = directory / f"{name}{suffix}"
            if file.is_file():
                return FoundModule(file)
        if (directory / name).is_dir():
            namespaces.append(directory / name)
    return FoundModule(None, tuple(namespaces)) if namespaces else None


def _find_editable(name: str) -> FoundModule | None:
    """Return a module that an editable installation makes known by a finder of its own."""
    for finder in sys.meta_path:
        if finder in (BuiltinImporter, FrozenImporter, PathFinder) or "editable" not in repr(finder).lower():
            continue
        with suppress(Exception):  # The finder is code of another package.
            spec = finder.find_spec(name, None)
            if spec is not None and spec.origin is not None and Path(spec.origin).is_file():
                return FoundModule(Path(spec.origin), tuple(map(Path, spec.submodule_search_locations or ())))
    return None


@lru_cache(maxsize=4096)
def _is_installed_directory(path: str) -> bool:
    directory = Path(path)
    return any(name in directory.parts for name in INSTALLATIONS) or any(
        directory.is_relative_to(each) for each in (*_python_directories(), CHECKOUT / "harness")
    )


@lru_cache(maxsize=1)
def _python_directories() -> tuple[Path, ...]:
    """Return the directories of Python's own modules and of commands."""
    return tuple(Path(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib", "scripts"))


def _shadowing(name: str, own: FoundModule, installed: FoundModule) -> HarnessError:
    return HarnessError(
        f"the factory imports '{name}', which is both a file of its directory and an installed package "
        f"({installed.file})",
        where=str(own.file),
        remedy="Rename the file, so that every process imports the same module.",
    )
