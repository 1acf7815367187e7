"""Declarations of options: a field of a dataclass declares its option once, for the command line and for Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import HarnessError, suggest_nearest
from harness.settings.user_paths import resolve_directory, resolve_place


@dataclass(frozen=True)
class Option:
    """The option by which a user sets a field on the command line.

    Attributes:
        flag: The option's name, such as ``--home``.
        help: What ``--help`` prints about it.
        metavar: The placeholder for the value in ``--help``; None: the name of its type.
        environment: The environment variable that holds the value where the flag is absent; None: no variable.
        choices: The allowed values; empty: all values of the field's type.
        minimum: The smallest allowed number; None: any number.
        typed_as: The type of the value on the command line, before ``parse``; None: the field's own type.
        parse: Converts a value from the command line or from Python into the field's type; None: no conversion.
        is_sent: Whether ``harness run`` passes a typed value on to the cluster that it sends a job to.
    """

    flag: str
    help: str
    metavar: str | None = None
    environment: str | None = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    typed_as: Any = None
    parse: Callable[[Any], Any] | None = None
    is_sent: bool = False


def declare_option(default: Any, flag: str, help: str, **details: Any) -> Any:
    """Return a dataclass field with its default and its :class:`Option`."""
    return field(default=default, metadata={"option": Option(flag, help, **details)})


def declare_directory(default: Path, flag: str, help: str, environment: str | None = None, **details: Any) -> Any:
    """Return a dataclass field as :func:`declare_option` does, for the path of a directory."""
    parse = partial(resolve_directory, option=flag, variable=environment)
    return declare_option(default, flag, help, environment=environment, parse=parse, **details)


def declare_place(default: str | None, flag: str, help: str, environment: str | None = None, **details: Any) -> Any:
    """Return a dataclass field as :func:`declare_option` does, for a path or a URL."""
    parse = partial(resolve_place, option=flag, variable=environment)
    return declare_option(default, flag, help, metavar="PLACE", environment=environment, parse=parse, **details)


Options = TypeVar("Options")
"""A dataclass whose fields all declare an option."""


def options_of(kind: type) -> dict[str, Option]:
    """Return the options of a dataclass whose fields all declare one, by field name."""
    return {each.name: each.metadata["option"] for each in fields(kind)}


def parse_options(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """Return an object of a dataclass that declares options, from values as a user gives them.

    Args:
        kind: The dataclass, such as :class:`Settings`.
        values: Values by field name. Paths and durations may be text; None stands for the default.

    Raises:
        HarnessError: There is no such field, or a value is wrong.
    """
    options = options_of(kind)
    for name in values:
        if name not in options:
            raise HarnessError(f"there is no setting '{name}'", where=name, remedy=suggest_nearest(name, options))
    parsed = {}
    for name, value in values.items():
        parse = options[name].parse
        if value is not None:
            parsed[name] = value if parse is None else parse(value)
    return kind(**parsed)
