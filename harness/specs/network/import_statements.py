"""The import statements of Python code, read without executing it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import lru_cache

IMPORT_FUNCTIONS = ("import_module", "__import__")
"""Functions that import the module whose name is their first argument."""


@lru_cache(maxsize=4096)
def list_imports(content: bytes, package: str) -> tuple[tuple[str, bool], ...]:
    """Return (full name, whether by a star) of everything that import statements name, anywhere in the code.

    The names after ``from package import`` may be modules or not; each is returned. Calls of ``import_module`` and
    ``__import__`` with a literal name count too. Code that Python cannot parse imports nothing.

    Args:
        content: The file, in any encoding that it declares.
        package: The package that relative imports start from; empty: none.
    """
    names: dict[tuple[str, bool], None] = {}
    for node in _parse(content):
        names.update(dict.fromkeys(_names_of(node, package)))
    return tuple(names)


def has_statements(content: bytes) -> bool:
    """Return whether code does anything: it holds more than comments and a docstring, or cannot be parsed."""
    try:
        statements = _tree(content).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return any(not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)) for s in statements)


def list_exports(content: bytes) -> list[str] | None:
    """Return the names in ``__all__``: what a star imports. Empty without ``__all__``; None if it is computed."""
    names: list[str] = []
    for node in _parse(content):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            targets, value = [node.func.value], ast.List(elts=list(node.args))
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            value = node.value  # type: ignore[assignment]
        else:
            continue
        is_all = any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)
        # A bare annotation, `__all__: list[str]`, has no value.
        if not is_all or value is None:
            continue
        for part in ast.walk(value):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                names.append(part.value)
            elif not isinstance(part, ast.List | ast.Tuple | ast.BinOp | ast.Add | ast.Load):
                return None
    return names


def _names_of(node: ast.AST, package: str) -> Iterator[tuple[str, bool]]:
    """Yield what one node of the code imports."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, False) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = _absolute("." * node.level + (node.module or ""), package)
        for alias in node.names if module else ():
            yield (module, True) if alias.name == "*" else (f"{module}.{alias.name}", False)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = getattr(node.func, "attr", getattr(node.func, "id", ""))
        name = node.args[0].value
        if function in IMPORT_FUNCTIONS and isinstance(name, str) and (module := _absolute(name, package)):
            yield module, False


def _absolute(name: str, package: str) -> str:
    """Return the full name of a module that may be named relative to a package; empty if there is no such module."""
    level = len(name) - len(name.lstrip("."))
    if not level:
        return name
    parents = package.split(".") if package else []
    if level > len(parents):
        return ""
    return ".".join([*parents[: len(parents) - level + 1], *filter(None, [name[level:]])])


def _parse(content: bytes) -> Iterator[ast.AST]:
    try:
        yield from ast.walk(_tree(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Its import fails too, with an error that names the cause.
        return


def _tree(content: bytes) -> ast.Module:
    with warnings.catch_warnings():
        # Code with a doubtful escape sequence makes the parser print a warning.
        warnings.simplefilter("ignore")
        return ast.parse(content)
