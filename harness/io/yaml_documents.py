"""YAML files into specs, with errors that name the file, the line, the field and the remedy."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from harness.errors import CONTROL, HarnessError, nearest, printable

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]

MOST_BYTES = 1_000_000
"""Of a file; PyYAML takes some seconds for as many."""
MOST_VALUES = 100_000
"""Of a document with its aliases written out, which may be exponentially many ("billion laughs")."""
MOST_LEVELS = 50
MOST_DIGITS = 70
"""Of a number as it is written; a 64-bit one in base 2 has fewer. Python refuses to print thousands."""
PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")}
MERGE = "tag:yaml.org,2002:merge"
MOST_LETTERS = 200
"""Of a field's name."""
NUMBERS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float")}


class Loader(yaml.SafeLoader):
    """Safe, and with the numbers of YAML 1.2: 1e-5 is one, which YAML 1.1 reads as text."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+"), list("-+.0123456789")
)


@dataclass
class Document:
    """A YAML mapping with the line of each of its fields."""

    path: Path
    data: dict[str, Any]
    lines: dict[Location, int] = field(default_factory=dict)
    overridden: set[str] = field(default_factory=set)

    @property
    def file(self) -> str:
        """Its path as errors show it."""
        return printable(str(self.path))

    def where(self, location: Location) -> str:
        """``file:line, field`` of the nearest enclosing field that the file has; ``--set`` for overrides."""
        name = ".".join(str(part) for part in location)
        for end in range(len(location), 0, -1):
            if ".".join(str(part) for part in location[:end]) in self.overridden:
                return f"--set {name}"
        # A rule over several fields is broken by the one that was changed.
        inside = [key for key in self.overridden if name and key.startswith(f"{name}.")]
        if inside:
            return f"--set {inside[0]}"
        for end in range(len(location), -1, -1):
            if location[:end] in self.lines:
                return f"{self.path}:{self.lines[location[:end]]}" + (f", {name}" if name else "")
        return f"{self.path}" + (f", {name}" if name else "")

    def override(self, assignment: str) -> None:
        """Apply ``key.sub=value`` (the value is YAML), as ``--set`` gives it.

        Raises:
            HarnessError: It is no assignment, or its path leads through something that is no mapping.
        """
        key, equals, text = assignment.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise HarnessError(
                f"'{assignment[:60]}' is not an assignment", where="--set", remedy="Write it as recipe.lr=0.05."
            )
        if len(parts) > MOST_LEVELS or max(map(len, parts)) > MOST_LETTERS:
            raise HarnessError(f"'{key[:60]}...' is no field", where="--set", remedy="See `harness schema`.")
        value, _ = _parse(text, lambda line: f"--set {key}")
        inside: Any = self.data
        for part in parts[:-1]:
            if isinstance(inside, list) and not _is_index(inside, part):
                raise _not_an_entry(inside, key)
            inside = inside[int(part)] if isinstance(inside, list) else inside.setdefault(part, {})
            if not isinstance(inside, dict | list):
                raise HarnessError(
                    f"{part} has no fields of its own", where=f"--set {key}", remedy="See `harness schema`."
                )
        if _is_index(inside, parts[-1]):
            inside[int(parts[-1])] = value
        elif isinstance(inside, dict):
            inside[parts[-1]] = value
        else:
            raise _not_an_entry(inside, key)
        self.overridden.add(".".join(parts))


def _not_an_entry(inside: list[Any], key: str) -> HarnessError:
    return HarnessError(
        "this is a list, and that is not one of its entries",
        where=f"--set {key}",
        remedy=f"Give a number from 0 to {len(inside) - 1}, as in variants.0.set.widths=[8,16,32].",
    )


def _is_index(inside: Any, part: str) -> bool:
    # Not every isdigit() is a decimal ('²'), and int() takes no thousands of them.
    return isinstance(inside, list) and part.isdecimal() and len(part) < 10 and int(part) < len(inside)


def read(path: Path) -> Document:
    """Read one YAML mapping, safely.

    Raises:
        HarnessError: No such file, not YAML, a tag that would make an object, a key given twice, no mapping.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            # Opening a pipe or a terminal would wait for somebody to write into it.
            raise HarnessError("is not a file", where=str(path), remedy="Give a YAML file.")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode()
    except (OSError, ValueError) as error:
        # A path may hold what no path can, such as a NUL; that and bytes that are no text are ValueErrors.
        decoding = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        reason = error.strerror if isinstance(error, OSError) else decoding
        raise HarnessError(f"cannot be read: {reason}", where=str(path), remedy="Give a YAML file.") from error
    if len(content) > MOST_BYTES:
        raise HarnessError(
            f"is larger than {MOST_BYTES:,} bytes", where=str(path), remedy="Is it the right file? A spec is small."
        )
    data, lines = _parse(text, lambda line: f"{path}:{line}" if line else str(path))
    if not isinstance(data, dict):
        raise HarnessError(
            f"the file holds {'nothing' if data is None else 'a ' + type(data).__name__}, not a mapping",
            where=f"{path}:1",
            remedy="Start with `name:` and `question:`; experiments/quickstart.yaml shows how.",
        )
    return Document(path, data, lines)


def _parse(text: str, where: Callable[[int | None], str]) -> tuple[Any, dict[Location, int]]:
    """(value, line of each of its fields) of a YAML text; ``where`` names one of its lines, or the whole.

    Raises:
        HarnessError: It is not plain YAML, or more than a spec would ever hold.
    """
    loader = None
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, {}
        # Before anything is built from the nodes: aliases and merge keys multiply there.
        lines = dict(_lines(node, where, count(1)))
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise HarnessError(
            f"not valid YAML: {error.problem or error.context}",
            where=where(mark.line + 1 if mark else None),
            remedy="Write plain YAML values: mappings, lists, text, numbers.",
        ) from error
    except RecursionError as error:
        raise HarnessError(f"nested deeper than {MOST_LEVELS} levels", where=where(None)) from error
    except yaml.reader.ReaderError as error:
        raise HarnessError(
            f"not valid YAML: it holds the character U+{error.character:04X}", where=where(None)
        ) from error
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        # PyYAML checks the form of a number or a date by building it: 2020-99-99, 0x_, !!bool x.
        raise HarnessError(f"not valid YAML: {error}", where=where(None)) from error
    finally:
        if loader is not None:
            loader.dispose()


def _lines(
    node: yaml.Node, where: Callable[[int | None], str], values: Iterator[int], at: Location = ()
) -> Iterator[tuple[Location, int]]:
    """(location, line) of every field; refuses what is not plain, too much, or given twice in one mapping."""
    line = node.start_mark.line + 1
    if next(values) > MOST_VALUES:
        raise HarnessError(f"holds more than {MOST_VALUES:,} values, its aliases written out", where=where(line))
    if len(at) > MOST_LEVELS:
        raise HarnessError(f"nested deeper than {MOST_LEVELS} levels", where=where(line))
    if node.tag not in PLAIN:
        raise HarnessError(
            "tags that make objects are not allowed",
            where=where(line),
            remedy="Write plain YAML values: mappings, lists, text, numbers.",
        )
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise HarnessError("the name of a field is text", where=where(line))
            if key.tag not in PLAIN | {MERGE} or len(key.value) > MOST_LETTERS:
                raise HarnessError(f"'{key.value[:60]}' is no name of a field", where=where(line))
            _check_scalar(key, _place(where(line), at))
            if key.value in seen:
                raise HarnessError(f"'{key.value}' is given twice", where=where(line), remedy="Remove one of them.")
            seen.add(key.value)
            yield (*at, key.value), line
            yield from _lines(value, where, values, (*at, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*at, index), value.start_mark.line + 1
            yield from _lines(value, where, values, (*at, index))
    else:
        _check_scalar(node, _place(where(line), at))


def _place(line: str, at: Location) -> str:
    return f"{line}, {'.'.join(map(str, at))}" if at else line


def _check_scalar(node: yaml.Node, place: str) -> None:
    found = CONTROL.search(node.value)
    if found:
        raise HarnessError(
            f"holds the control character {ascii(found[0])[1:-1]}", where=place, remedy="Write it without."
        )
    if node.tag in NUMBERS and len(node.value) > MOST_DIGITS:
        raise HarnessError(f"a number of more than {MOST_DIGITS} digits", where=place, remedy="Write it shorter.")


def validate(model: type[Model], data: Any, document: Document, at: Location = ()) -> Model:
    """``data`` as ``model``; ``at`` is where in the document the data stands.

    Raises:
        HarnessError: One line for each of the first five problems.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors()
        # A list of which an entry was refused is then also reported as too short.
        deeper = [item["loc"] for item in found]
        found = [i for i in found if i["type"] != "too_short" or not any(_inside(d, i["loc"]) for d in deeper)]
        problems = [_problem(model, item, document, at) for item in found[:5]]
    if len(problems) == 1:
        where, what, remedy = problems[0]
        raise HarnessError(what, where=where, remedy=remedy)
    listed = "\n".join(f"  {where}: {what} {remedy}".rstrip() for where, what, remedy in problems)
    raise HarnessError(f"{len(problems)} problems\n{listed}", where=str(document.path))


def _inside(location: Location, outer: Location) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def _problem(model: type[BaseModel], item: Any, document: Document, at: Location) -> tuple[str, str, str]:
    """(where, what, remedy) of one pydantic error."""
    # Pydantic puts the tag of a discriminated union, and a mark for keys, into the location; the file has neither.
    location = tuple(
        part
        for index, part in enumerate(item["loc"])
        if part != "[key]"
        and not (part in ("degradation", "difference") and index and isinstance(item["loc"][index - 1], int))
    )
    where = document.where((*at, *location))
    kind, given = item["type"], item.get("input")
    if kind == "extra_forbidden":
        known = _fields(model, location[:-1])
        return where, f"there is no field '{location[-1]}'.", nearest(str(location[-1]), known)
    if kind == "missing":
        return where, f"the field '{location[-1]}' is missing.", "Add it; `harness schema` lists the fields."
    message = item["msg"].removeprefix("Value error, ").replace("valid tuple", "list").replace("Tuple", "List")
    if kind == "value_error":
        return where, message, ""
    shown = repr(given)
    return where, f"{shown[:60]} is refused: {message[0].lower()}{message[1:]}.", ""


def _fields(model: Any, location: Sequence[str | int]) -> list[str]:
    """Names of the fields at ``location`` inside ``model``, as far as its types tell."""
    for part in location:
        if isinstance(part, int):
            continue
        if hasattr(model, "model_fields"):
            if part not in model.model_fields:
                return []
            model = model.model_fields[part].annotation
        while get_args(model):
            found = [arg for arg in _flat(model) if hasattr(arg, "model_fields")]
            if len(found) != 1:
                return sorted({name for arg in found for name in arg.model_fields})
            model = found[0]
    return list(getattr(model, "model_fields", ()))


def _flat(annotation: Any) -> list[Any]:
    arguments = get_args(annotation)
    return [annotation] if not arguments else [leaf for argument in arguments for leaf in _flat(argument)]
