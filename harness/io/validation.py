"""Validation of a document's data against a spec, with errors that name line, field and remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from harness.errors import MIN_SIMILARITY, HarnessError, suggest_nearest
from harness.io.yaml_documents import Document
from harness.io.yaml_parser import Location

Model = TypeVar("Model", bound=BaseModel)
MOST_PROBLEMS = 5
"""Problems that one error lists."""
MIN_SIMILARITY_ELSEWHERE = 0.8
"""Similarity (0 to 1) from which on a field at another place of the file is suggested."""
CONTRAST_KINDS = ("degradation", "difference")
"""Tags of the union of contrasts, which pydantic puts into the location of an error and the file does not contain."""
ONE_DATA_SET, SEVERAL_DATA_SETS = "one data set", "several data sets"
"""Tags of the union in an experiment's field ``data``; the same holds for them."""
UNION_TAGS = re.compile(r"literal\[.*\]|constrained-(int|float|str)|int|float|str|bool")
"""What pydantic adds to the location of an error in a field of several types."""
EXPECTED = ": it should be "
PLAIN_WORDS = {
    "^Input should": "it should",
    "^(String|Tuple|List|Dictionary) should": "it should",
    "an object|a valid dictionary( or instance of \\w+)?": "a mapping",
    "valid (tuple|list|array)": "list",
    "a valid string": "text",
    "a valid boolean": "true or false",
    "valid integer": "whole number",
    "valid number": "number",
    " after validation": "",
}
"""Words of pydantic's messages, as regular expressions, and the words that take their place."""


def validate_model(model: type[Model], data: Any, document: Document, at: Location = ()) -> Model:
    """Return ``data`` as an instance of ``model``.

    Args:
        at: Location of the data in the document.

    Raises:
        HarnessError: The data does not fit; the error lists the first five problems, one on each line.
    """
    try:
        return _validate(model, data)
    except ValidationError as error:
        details = [item for item in error.errors() if not _is_accepted(item)]
        # Pydantic also reports a list as too short after it refused one of its entries: keep the entry's error only.
        locations = [item["loc"] for item in details]
        details = [
            item
            for item in details
            if item["type"] != "too_short" or not any(_is_inside(location, item["loc"]) for location in locations)
        ]
        problems = _merge_alternatives([_describe_problem(model, item, document, at) for item in details])
        problems = problems[:MOST_PROBLEMS]
    if len(problems) == 1:
        where, what, remedy = problems[0]
        raise HarnessError(what, where=where, remedy=remedy)
    listed = "\n".join(f"  {where}: {what} {remedy}".rstrip() for where, what, remedy in problems)
    raise HarnessError(f"{len(problems)} problems\n{listed}", where=str(document.path))


def _merge_alternatives(problems: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return problems with one entry for each field: a field of several types has one problem with each of them."""
    merged: dict[str, tuple[str, str]] = {}
    for where, what, remedy in problems:
        start, separator, message = what.partition(EXPECTED)
        earlier, earlier_remedy = merged.get(where, ("", ""))
        if separator and earlier.startswith(start + separator):
            merged[where] = f"{earlier.removesuffix('.')}, or {message}", earlier_remedy or remedy
        else:
            merged[where] = " ".join(filter(None, [earlier, what])), earlier_remedy or remedy
    return [(where, what, remedy) for where, (what, remedy) in merged.items()]


def _validate(model: type[Model], data: Any) -> Model:
    """Return ``data`` as an instance of ``model``; no value is converted to another type.

    The types of YAML's values are those of JSON, and pydantic's strict mode takes each type for what it is: neither
    text nor a boolean stands for a number. One exception is made: 100.0 or 1e2 is a whole number.
    """
    try:
        return model.model_validate_json(json.dumps(data, default=_dump_model), strict=True)
    except ValidationError as error:
        if not all(map(_is_accepted, error.errors())):
            raise
    return model.model_validate(data)


def _dump_model(value: Any) -> Any:
    return value.model_dump(mode="json")


def _is_accepted(item: Any) -> bool:
    """Return whether the error of the strict mode is about a whole number that is written as 100.0 or 1e2."""
    return item["type"] == "int_type" and isinstance(item["input"], float) and item["input"].is_integer()


def _is_inside(location: Location, outer: Location) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def _describe_problem(model: type[BaseModel], item: Any, document: Document, at: Location) -> tuple[str, str, str]:
    """Return (where, what, remedy) of one pydantic error."""
    # Pydantic marks errors of a mapping's key with "[key]" in the location.
    location = tuple(
        part
        for index, part in enumerate(item["loc"])
        if part not in ("[key]", ONE_DATA_SET, SEVERAL_DATA_SETS)
        and not (index == len(item["loc"]) - 1 and UNION_TAGS.fullmatch(str(part)))
        and not (part in CONTRAST_KINDS and index and isinstance(item["loc"][index - 1], int))
    )
    where = document.where((*at, *location))
    schema = getattr(model, "schema_command", "harness schema")
    kind, value = item["type"], item.get("input")
    if kind == "extra_forbidden":
        return where, f"there is no field '{location[-1]}'.", _suggest_field(model, location)
    if kind == "missing":
        return where, f"the field '{location[-1]}' is missing.", f"Add it; `{schema}` lists the fields."
    message = describe_error(item)
    if kind == "value_error":
        return where, message, ""
    if value is None:
        return where, f"the field has no value: {message}.", "Give it a value, or remove it."
    # Show a number as it is written: 1e3 and not 1000.0.
    text = repr(value)
    if isinstance(value, bool | int | float):
        text = document.plain.get((*at, *location), json.dumps(value))
    return where, f"the value {text[:60]} is not valid: {message}.", _find_remedy(kind, value, text, where)


def _find_remedy(kind: str, value: Any, text: str, where: str) -> str:
    """Return how to write the value that pydantic's error ``kind`` asks for; empty text if that is clear.

    Args:
        text: The value as the error shows it.
    """
    if kind == "string_type" and isinstance(value, bool | int | float):
        option, field = where.split(" ", 1) if where.startswith("--set ") else ("", "")
        return f"Write it in quotes: {option} \"{field}='{text}'\"." if option else f"Write it in quotes: '{text}'."
    if kind == "string_type" and isinstance(value, dict):
        return "Put text that contains ': ' in quotes."
    if not isinstance(value, bool | str):
        return ""
    if kind == "bool_type":
        word = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(str(value).lower(), "true or false")
        return f"Write {word}, without quotes."
    return {
        "int_type": "Write it in digits, without quotes, as in 10.",
        "float_type": "Write it in digits, without quotes, as in 0.1 or 1e-3.",
    }.get(kind, "")


def describe_error(item: Any) -> str:
    """Return the message of one pydantic error in the words of YAML instead of those of Python."""
    message: str = item["msg"]
    if item["type"] == "value_error":
        return message.removeprefix("Value error, ")
    for pattern, words in PLAIN_WORDS.items():
        message = re.sub(pattern, words, message)
    return message[0].lower() + message[1:]


def _suggest_field(model: Any, location: Sequence[str | int]) -> str:
    """Return which field may be meant: one at the same place, or else one at another place of the file."""
    name = str(location[-1])
    siblings = _field_names(model, location[:-1])
    paths = dict.fromkeys(_list_paths(model))
    same = [path for path in paths if path.rpartition(".")[2] == name]
    if same:
        return f"Did you mean {' or '.join(same[:3])}?"
    names = {path.rpartition(".")[2]: path for path in reversed(paths)}
    if not get_close_matches(name, siblings, n=1, cutoff=MIN_SIMILARITY):
        for near in get_close_matches(name, names, n=1, cutoff=MIN_SIMILARITY_ELSEWHERE):
            return f"Did you mean {names[near]}?"
    return suggest_nearest(name, siblings)


def _list_paths(model: Any, prefix: str = "") -> Iterator[str]:
    """Yield the names of all fields of a model and of the models in it, as ``--set`` writes them."""
    for name, field in model.model_fields.items():
        yield prefix + name
        for inner in [*_type_leaves(field.annotation), *getattr(model, "field_models", {}).get(name, ())]:
            if hasattr(inner, "model_fields"):
                yield from _list_paths(inner, f"{prefix}{name}.")


def _field_names(model: Any, location: Sequence[str | int]) -> list[str]:
    """Return the names of the fields at ``location`` inside ``model``, as far as its types define them."""
    for part in location:
        if isinstance(part, int):
            continue
        if hasattr(model, "model_fields"):
            if part not in model.model_fields:
                return []
            model = model.model_fields[part].annotation
        while get_args(model):
            models = [leaf for leaf in _type_leaves(model) if hasattr(leaf, "model_fields")]
            if len(models) != 1:
                return sorted({name for leaf in models for name in leaf.model_fields})
            model = models[0]
    return list(getattr(model, "model_fields", ()))


def _type_leaves(annotation: Any) -> list[Any]:
    arguments = get_args(annotation)
    return [annotation] if not arguments else [leaf for argument in arguments for leaf in _type_leaves(argument)]
