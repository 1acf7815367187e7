"""The source of a python factory: its module, and all that this one imports from outside the installed packages.

The modules are found by reading their import statements. Nothing is imported and nothing is executed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path

from harness.errors import HarnessError
from harness.specs.network.import_statements import has_statements, list_imports
from harness.specs.network.module_search import FoundModule, ModuleSearch

HASH_DIGITS = 16


@dataclass(frozen=True)
class FactorySource:
    """The files of Python code that decide what a factory returns, apart from installed packages.

    Attributes:
        directory: The directory that the factory's module is imported from.
        file: The file of the factory's module. A package has its ``__init__.py``.
        modules: The file of each module by its full name: the factory's own, and all that it imports in turn.
        version: First 16 hex digits of the sha256 of all of them.
    """

    directory: str
    file: Path
    modules: dict[str, Path]
    version: str

    @property
    def is_package(self) -> bool:
        """Whether the factory's module is a package, whose every Python file belongs to the source."""
        return self.file.name == "__init__.py"

    @property
    def files(self) -> list[Path]:
        """Every file that the hash covers, each once; the factory's own is the first."""
        own = _package_files(self.file) if self.is_package else []
        return list(dict.fromkeys([self.file, *own, *filter(_has_code, self.modules.values())]))


def find_factory_source(module: str, directory: str = "") -> FactorySource:
    """Return the source of a factory's module.

    Args:
        module: Full name of the module.
        directory: The directory that it is imported from. Empty: the working directory is searched, then Python's path.

    Raises:
        HarnessError: No such module exists, it cannot be a factory, or a file cannot be read.
    """
    directory, file = (directory, _planned_file(module, directory)) if directory else find_source(module)
    try:
        modules = _collect_modules(module, file, ModuleSearch(directory))
        return FactorySource(directory, file, modules, _hash_source(module, file, modules))
    except OSError as error:
        raise HarnessError(
            f"the source of the factory cannot be read: {error.strerror}",
            where=str(error.filename),
            remedy="Make the file readable, or remove its import.",
        ) from error


def find_source(module: str) -> tuple[str, Path]:
    """Return (directory to import from, file) of a module without importing it.

    The working directory is searched before Python's path.

    Raises:
        HarnessError: No such module exists, or it is Python's main program.
    """
    if module == "__main__":
        raise HarnessError(
            "the module __main__ is the running program, which trials cannot import",
            where="factory",
            remedy="Write the function into a file such as nets.py, and name it nets:function.",
        )
    for directory in dict.fromkeys([str(Path.cwd()), *(str(Path(path).absolute()) for path in sys.path if path)]):
        if (file := _source_file(module, directory)) is not None:
            return directory, file
    raise HarnessError(
        f"the module '{module}' is neither in the working directory nor on Python's path",
        where="factory",
        remedy="Run the command in the directory that contains it, or set PYTHONPATH.",
    )


def _source_file(module: str, directory: str) -> Path | None:
    relative = Path(*module.split("."))
    for file in (Path(directory, relative.with_suffix(".py")), Path(directory, relative, "__init__.py")):
        if file.is_file():
            return file
    return None


def _planned_file(module: str, directory: str) -> Path:
    file = _source_file(module, directory)
    if file is None:
        raise HarnessError(
            f"the module '{module}' of a factory is not on this machine: there is no file "
            f"{Path(directory, *module.split('.')).with_suffix('.py')}",
            where="factory",
            remedy="Put its directory at the same path on every machine, or send the run with --cluster or --address.",
        )
    return file


def _collect_modules(module: str, file: Path, search: ModuleSearch) -> dict[str, Path]:
    """Return the files by name of a module and of all that it imports in turn from outside the installed packages."""
    files = {module: file}
    if search.is_installed(file):
        # Its other modules are installed with it: the version of the package identifies them.
        return files
    search.known[module] = FoundModule(file, (file.parent,) if file.name == "__init__.py" else ())
    waiting = [module]
    while waiting:
        name = waiting.pop()
        current = search.find(name)
        if current is None or current.file is None:
            continue
        files[name] = current.file
        for other in [name, *_list_imported(name, current, search)]:
            waiting += [part for part in _with_parents(other) if part not in files and part not in waiting]
    return files


def _list_imported(name: str, module: FoundModule, search: ModuleSearch) -> Iterator[str]:
    assert module.file is not None
    if module.file.suffix != ".py":
        return
    package = name if module.is_package else name.rpartition(".")[0]
    for other, is_star in list_imports(module.file.read_bytes(), package):
        yield other
        if is_star:
            yield from search.search_all(other)


def _with_parents(name: str) -> list[str]:
    """Return the names of a module and of the packages that it is in, which Python imports first."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _hash_source(module: str, file: Path, modules: dict[str, Path]) -> str:
    """Return the hash of the factory's module alone, or with the other modules that it imports.

    A module without helpers keeps the hash that earlier versions recorded.
    """
    own = hash_module(file)
    others = {
        name: path
        for name, path in modules.items()
        if name != module and not (file.name == "__init__.py" and path.is_relative_to(file.parent)) and _has_code(path)
    }
    parts = [f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for name, path in sorted(others.items())]
    if ModuleSearch.is_installed(file):
        parts += _installed_version(module, file)
    return hashlib.sha256("\n".join([own, *parts]).encode()).hexdigest()[:HASH_DIGITS] if parts else own


def _has_code(file: Path) -> bool:
    """Return whether a module does anything. Most ``__init__.py`` are empty."""
    return file.name != "__init__.py" or has_statements(file.read_bytes())


def _installed_version(module: str, file: Path) -> list[str]:
    """Return the version of the installed package that a factory belongs to, if it imports other modules of it."""
    top, dot, _ = module.partition(".")
    if not dot or file.name == "__init__.py":
        return []
    names = [name for name, _ in list_imports(file.read_bytes(), module.rpartition(".")[0])]
    if not any(name.partition(".")[0] == top for name in names):
        return []
    return [f"{name} {version(name)}" for name in sorted(set(packages_distributions().get(top, ())))]


def hash_module(file: Path) -> str:
    """Return the first 16 hex digits of the sha256 of a module's source: its file, or all Python files of a package."""
    if file.name != "__init__.py":
        return hashlib.sha256(file.read_bytes()).hexdigest()[:HASH_DIGITS]
    digest = hashlib.sha256()
    for source in _package_files(file):
        digest.update(source.relative_to(file.parent).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()[:HASH_DIGITS]


def _package_files(file: Path) -> list[Path]:
    """Return the Python files of a package. A link to nowhere, such as an editor's lock, is none."""
    return [source for source in sorted(file.parent.rglob("*.py")) if source.is_file()]
