"""YAML files into specs, with errors that name the file, the line, the field and the remedy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from harness.errors import HarnessError, nearest

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]
MOST_FIELDS = 100_000


@dataclass
class Document:
    """A YAML mapping with the line of each of its fields."""

    path: Path
    data: dict[str, Any]
    lines: dict[Location, int] = field(default_factory=dict)
    overridden: set[str] = field(default_factory=set)

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
                f"'{assignment}' is not an assignment", where="--set", remedy="Write it as recipe.lr=0.05."
            )
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
            raise HarnessError(f"'{text}' is not YAML", where=f"--set {key}") from error
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
    return isinstance(inside, list) and part.isdigit() and int(part) < len(inside)


def read(path: Path) -> Document:
    """Read one YAML mapping, safely.

    Raises:
        HarnessError: No such file, not YAML, a tag that would make an object, a key given twice, no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise HarnessError(f"cannot be read: {reason}", where=str(path), remedy="Give a YAML file.") from error
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        lines = dict(_few(_lines(node, path), path)) if node is not None else {}
        data = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        tag = "constructor for the tag" in (error.problem or "")
        raise HarnessError(
            "tags that make objects are not allowed" if tag else f"not valid YAML: {error.problem or error.context}",
            where=f"{path}:{mark.line + 1}" if mark else str(path),
            remedy="Write plain YAML values: mappings, lists, text, numbers.",
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise HarnessError(f"not valid YAML: {error}", where=str(path)) from error
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise HarnessError(
            f"the file holds {'nothing' if data is None else 'a ' + type(data).__name__}, not a mapping",
            where=f"{path}:1",
            remedy="Start with `name:` and `question:`; experiments/quickstart.yaml shows how.",
        )
    return Document(path, data, lines)


def _few(fields: Iterator[Any], path: Path) -> Iterator[Any]:
    """Some lines of aliases of aliases stand for billions of fields."""
    for number, found in enumerate(fields):
        if number >= MOST_FIELDS:
            raise HarnessError(f"more than {MOST_FIELDS:,} fields", where=str(path), remedy="Use fewer aliases.")
        yield found


def _lines(node: yaml.Node, path: Path, at: Location = (), depth: int = 0) -> Any:
    """(location, line) of every field; a key that stands twice in one mapping is refused."""
    if depth > 50:
        raise HarnessError("nested deeper than 50 levels", where=f"{path}:{node.start_mark.line + 1}")
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen and isinstance(key.value, str):
                raise HarnessError(
                    f"'{key.value}' is given twice", where=f"{path}:{line}", remedy="Remove one of them."
                )
            if isinstance(key.value, str):
                seen.add(key.value)
                yield (*at, key.value), line
                yield from _lines(value, path, (*at, key.value), depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*at, index), value.start_mark.line + 1
            yield from _lines(value, path, (*at, index), depth + 1)


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
    location = tuple(part for part in item["loc"] if part not in ("degradation", "difference", "[key]"))
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
        model = model.model_fields[part].annotation if hasattr(model, "model_fields") else model
        while get_args(model):
            found = [arg for arg in _flat(model) if hasattr(arg, "model_fields")]
            if len(found) != 1:
                return sorted({name for arg in found for name in arg.model_fields})
            model = found[0]
    return list(getattr(model, "model_fields", ()))


def _flat(annotation: Any) -> list[Any]:
    arguments = get_args(annotation)
    return [annotation] if not arguments else [leaf for argument in arguments for leaf in _flat(argument)]
