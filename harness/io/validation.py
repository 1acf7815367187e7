"""Validation of a document's data against a spec, with errors that name line, field and remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.errors import HarnessError, suggest_nearest
from harness.io.model_fields import TAG_FIELD, FieldPlace, find_place, suggest_field
from harness.io.yaml_documents import Document
from harness.io.yaml_parser import Location

Model = TypeVar("Model", bound=BaseModel)
MOST_PROBLEMS = 5
"""Problems that one error lists."""
MAPPING_ERRORS = ("model_type", "model_attributes_type", "dict_type")
LIST_ERRORS = ("list_type", "tuple_type")
"""Kinds of pydantic's errors: another type stands in the place of a mapping, or of a list."""
EXPECTED = ": it should be "
PLAIN_WORDS = {
    "^Input should": "it should",
    "^(String|Tuple|List|Dictionary) should": "it should",
    "an object|a valid dictionary( or instance of \\w+| or object to extract fields from)?": "a mapping",
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
    kind, value = item["type"], item.get("input")
    place = find_place(model, item["loc"], is_unknown_field=kind == "extra_forbidden")
    where = document.where((*at, *place.location))
    schema = getattr(model, "schema_command", "harness schema")
    if kind == "extra_forbidden":
        holder = f"a {place.kind} contrast has no field" if place.kind else "there is no field"
        return where, f"{holder} '{place.location[-1]}'.", suggest_field(model, place)
    if kind == "missing":
        return where, f"the field '{place.location[-1]}' is missing.", f"Add it; `{schema}` lists the fields."
    if kind.startswith("union_tag_"):
        return document.where((*at, *place.location, TAG_FIELD)), *_describe_tag(item)
    message = describe_error(item)
    if kind == "value_error":
        return where, message, ""
    if value is None:
        return where, f"the field has no value: {message}.", "Give it a value, or remove it."
    # Show a number as it is written: 1e3 and not 1000.0.
    text = repr(value)
    if isinstance(value, bool | int | float):
        text = document.plain.get((*at, *place.location), json.dumps(value))
    remedy = _find_remedy(kind, value, text, where) or _show_example(kind, place)
    return where, f"the value {text[:60]} is not valid: {message}.", remedy


def _describe_tag(item: Any) -> tuple[str, str]:
    """Return what is wrong with the field that tells the members of a union apart, and the remedy."""
    if item["type"] == "union_tag_not_found":
        return f"the field '{TAG_FIELD}' is missing.", f"Add it, as in {TAG_FIELD}: difference."
    tags = re.findall(r"'([^']*)'", item["ctx"]["expected_tags"])
    return f"there is no {TAG_FIELD} '{item['ctx']['tag'][:60]}'.", suggest_nearest(item["ctx"]["tag"], tags)


def _show_example(kind: str, place: FieldPlace) -> str:
    """Return the right form of a mapping, or of a list of mappings; empty where no example is known."""
    example = next((model.example for model in place.models if getattr(model, "example", "")), "")
    is_list = kind in ("list_type", "tuple_type")
    if (
        not place.location
        or not example
        or not (is_list or kind in ("model_type", "model_attributes_type", "dict_type"))
    ):
        return ""
    name = place.location[-1]
    form = f"[{example}]" if is_list else example
    return f"Write it as in {form}." if isinstance(name, int) else f"Write it as in {name}: {form}."


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
