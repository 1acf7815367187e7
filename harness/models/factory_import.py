"""The import of a python factory: from exactly the files that its hash covers, as they are now."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from harness.errors import HarnessError
from harness.specs.network.factory_source import FactorySource
from harness.specs.network.module_search import ModuleSearch


class SourceLoader(SourceFileLoader):
    """Compiles a file as it is now.

    Python's cached bytecode can be stale: it counts as new if the source has the same size and second of change.
    """

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the file."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class FactoryFinder(MetaPathFinder):
    """Finds the modules of the factory that was imported last, before any other file of the same name.

    Attributes:
        files: File of each module by its full name.
        directory: The directory that was added to Python's path for it; empty if none was.
    """

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}
        self.directory = ""

    def use_directory(self, directory: str) -> None:
        """Replace the directory of the factory before on Python's path, so that no file of it is found any more."""
        if self.directory in sys.path:
            sys.path.remove(self.directory)
        self.directory = ""
        if directory not in sys.path:
            # At the end: no file of the directory may replace a module that other code imports.
            sys.path.append(directory)
            self.directory = directory

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how a module of the factory is loaded; None for every other module."""
        file = self.files.get(name)
        if file is None:
            return None
        loader = SourceLoader(name, str(file)) if file.suffix == ".py" else None
        locations = [str(file.parent)] if file.name.partition(".")[0] == "__init__" else None
        return spec_from_file_location(name, file, loader=loader, submodule_search_locations=locations)


_FINDER = FactoryFinder()


def import_factory(module: str, source: FactorySource) -> ModuleType:
    """Import the module of a factory and all modules of its source again, whatever was imported before.

    The finder stays in place, because a network may import modules while it runs.

    Raises:
        ImportError: The program has imported another module of the same name already.
        Exception: Any error of the code itself.
    """
    _FINDER.use_directory(source.directory)
    _forget(source)
    _FINDER.files = {} if ModuleSearch.is_installed(source.file) else source.modules
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    importlib.invalidate_caches()
    imported = importlib.import_module(module)
    for name, file in source.modules.items():
        other = getattr(sys.modules.get(name), "__file__", None)
        if name in sys.modules and Path(other or "").resolve() != file.resolve():
            raise ImportError(f"Python finds another module of this name first: {other or name}")
    return imported


def refuse_unseen_modules(source: FactorySource, call: Callable[[], Any]) -> Any:
    """Return what a function returns, if it imports no module of the user's that the hash does not cover.

    Raises:
        HarnessError: It does, so a change of that module would go unnoticed.
    """
    covered = {file.resolve() for file in (*source.files, *source.modules.values())}
    with _hide_modules(source, covered):
        before, python_path = dict(sys.modules), list(sys.path)
        result = call()
        for name in sorted(name for name, module in sys.modules.items() if module is not before.get(name)):
            file = _own_file(name)
            if file is None or file in covered:
                continue
            # A later import in this process must be seen again.
            del sys.modules[name]
            sys.path[:] = python_path
            raise HarnessError(
                f"the factory imports {name} ({file}) in a way that its code does not show, so that a change of this "
                "file would make no new trials",
                where="factory",
                remedy=f"Write `import {name}` in one of its modules, with the file where Python finds it without a "
                "change of sys.path. A file may not have the name of a module of Python.",
            )
    return result


@contextmanager
def _hide_modules(source: FactorySource, covered: AbstractSet[Path]) -> Iterator[None]:
    """Hide modules that the hash does not cover and that the factory could mean, so that an import of them is seen.

    These are modules of its directory, and modules from elsewhere that have a name of a file there.
    """
    directory, hidden = Path(source.directory).resolve(), {}
    for name in list(sys.modules):
        file = _own_file(name) if name != "__main__" else None
        if file is None or file in covered:
            continue
        top = directory / name.partition(".")[0]
        if file.is_relative_to(directory) or top.with_suffix(".py").exists() or top.is_dir():
            hidden[name] = sys.modules.pop(name)
    try:
        yield
    finally:
        sys.modules.update(hidden)


def _own_file(name: str) -> Path | None:
    """Return the file of an imported module; None if it is installed or has none."""
    path = getattr(sys.modules[name], "__file__", None)
    if not isinstance(path, str) or not Path(path).suffix or ModuleSearch.is_installed(Path(path).absolute()):
        return None
    file = Path(path).resolve()
    return None if ModuleSearch.is_installed(file) else file


def _forget(source: FactorySource) -> None:
    """Forget the modules of the factory before, and those that have a name of this factory's modules."""
    if ModuleSearch.is_installed(source.file):
        return
    tops = {name.partition(".")[0] for name in source.modules}
    for name in [name for name in sys.modules if name.partition(".")[0] in tops or name in _FINDER.files]:
        if _own_file(name) is not None:
            del sys.modules[name]
