"""Validation of a document's data against a spec, with errors that name line, field and remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from harness.errors import HarnessError, suggest_nearest
from harness.io.yaml_documents import Document
from harness.io.yaml_parser import Location

Model = TypeVar("Model", bound=BaseModel)
MOST_PROBLEMS = 5
"""Problems that one error lists."""
CONTRAST_KINDS = ("degradation", "difference")
"""Tags of the union of contrasts, which pydantic puts into the location of an error and the file does not contain."""
PLAIN_WORDS = {
    "^Input should": "it should",
    "^(String|Tuple|List|Dictionary) should": "it should",
    r"valid dictionary( or instance of \w+)?": "mapping",
    "valid (tuple|list)": "list",
    "valid string": "text",
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
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors()
        # Pydantic also reports a list as too short after it refused one of its entries: keep the entry's error only.
        locations = [item["loc"] for item in details]
        details = [
            item
            for item in details
            if item["type"] != "too_short" or not any(_is_inside(location, item["loc"]) for location in locations)
        ]
        problems = [_describe_problem(model, item, document, at) for item in details[:MOST_PROBLEMS]]
    if len(problems) == 1:
        where, what, remedy = problems[0]
        raise HarnessError(what, where=where, remedy=remedy)
    listed = "\n".join(f"  {where}: {what} {remedy}".rstrip() for where, what, remedy in problems)
    raise HarnessError(f"{len(problems)} problems\n{listed}", where=str(document.path))


def _is_inside(location: Location, outer: Location) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def _describe_problem(model: type[BaseModel], item: Any, document: Document, at: Location) -> tuple[str, str, str]:
    """Return (where, what, remedy) of one pydantic error."""
    # Pydantic marks errors of a mapping's key with "[key]" in the location.
    location = tuple(
        part
        for index, part in enumerate(item["loc"])
        if part != "[key]" and not (part in CONTRAST_KINDS and index and isinstance(item["loc"][index - 1], int))
    )
    where = document.where((*at, *location))
    kind, value = item["type"], item.get("input")
    if kind == "extra_forbidden":
        fields = _field_names(model, location[:-1])
        return where, f"there is no field '{location[-1]}'.", suggest_nearest(str(location[-1]), fields)
    if kind == "missing":
        return where, f"the field '{location[-1]}' is missing.", "Add it; `harness schema` lists the fields."
    message = describe_error(item)
    if kind == "value_error":
        return where, message, ""
    return where, f"the value {repr(value)[:60]} is not valid: {message}.", ""


def describe_error(item: Any) -> str:
    """Return the message of one pydantic error in the words of YAML instead of those of Python."""
    message: str = item["msg"]
    if item["type"] == "value_error":
        return message.removeprefix("Value error, ")
    for pattern, words in PLAIN_WORDS.items():
        message = re.sub(pattern, words, message)
    return message[0].lower() + message[1:]


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
