"""The fields of a model and of the models in it, by the location that a validation error names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from harness.errors import MIN_SIMILARITY, suggest_nearest
from harness.io.yaml_parser import Location

ONE_DATA_SET, SEVERAL_DATA_SETS = "one data set", "several data sets"
"""Tags of the union in an experiment's field ``data``."""
UNION_TAGS = re.compile(r"\[key\]|literal\[.*\]|constrained-(int|float|str)|int|float|str|bool")
"""What pydantic adds to the location of an error: in a mapping's key, and in a field of several types."""
MIN_SIMILARITY_ELSEWHERE = 0.8
"""Similarity (0 to 1) from which on a field at another place of the file is suggested."""
TAG_FIELD = "kind"
"""The field by which a union of models is told apart."""


@dataclass(frozen=True)
class FieldPlace:
    """A location in a file as its writer sees it, without the tags of unions that pydantic puts into it.

    Attributes:
        models: The models that may stand at the location, or around it if it is the name of an unknown field.
        kind: The kind of the model, in a union of several kinds; empty elsewhere.
        others: The models of the other kinds.
    """

    location: Location
    models: tuple[Any, ...]
    kind: str = ""
    others: tuple[Any, ...] = ()


def find_place(model: Any, location: Sequence[str | int], is_unknown_field: bool = False) -> FieldPlace:
    """Return the place of a pydantic error.

    Args:
        location: The location that pydantic names.
        is_unknown_field: Whether its last part is the name of a field that the model does not have.
    """
    clean: list[str | int] = []
    models: tuple[Any, ...] = (model,)
    others: tuple[Any, ...] = ()
    kind = ""
    known, last = (location[:-1], location[-1:]) if is_unknown_field else (location, ())
    for index, part in enumerate(known):
        if isinstance(part, int):
            clean.append(part)
            continue
        holders = [each for each in models if part in each.model_fields]
        tagged = [each for each in models if part in _kinds(each)]
        if holders:
            models, others, kind = _models_in(holders[0].model_fields[part].annotation), (), ""
            clean.append(part)
        elif tagged:
            others, models, kind = tuple(each for each in models if each not in tagged), tuple(tagged), part
        elif part not in (ONE_DATA_SET, SEVERAL_DATA_SETS) and not (
            UNION_TAGS.fullmatch(part) and (part == "[key]" or index == len(known) - 1)
        ):
            clean.append(part)
            models = ()
    return FieldPlace((*clean, *last), models, kind, others)


def _kinds(model: Any) -> tuple[str, ...]:
    """Return the values by which a model is told apart from the others of a union; empty for an ordinary model."""
    field = model.model_fields.get(TAG_FIELD)
    return tuple(get_args(field.annotation)) if field is not None and field.is_required() else ()


def _models_in(annotation: Any) -> tuple[Any, ...]:
    return tuple(leaf for leaf in _type_leaves(annotation) if hasattr(leaf, "model_fields"))


def _type_leaves(annotation: Any) -> list[Any]:
    arguments = get_args(annotation)
    return [annotation] if not arguments else [leaf for argument in arguments for leaf in _type_leaves(argument)]


def suggest_field(model: Any, place: FieldPlace) -> str:
    """Return which field may be meant: one at the same place, or else one at another place of the file."""
    name = str(place.location[-1])
    siblings = sorted({field for each in place.models for field in each.model_fields})
    if place.kind:
        owners = [kind for each in place.others if name in each.model_fields for kind in _kinds(each)]
        fields = [field for field in place.models[0].model_fields if field != TAG_FIELD]
        own = f"Kind {place.kind} has {', '.join(fields)}."
        if owners:
            return f"Kind {' and kind '.join(owners)} {'has' if len(owners) == 1 else 'have'} it. {own}"
        is_near = get_close_matches(name, siblings, n=1, cutoff=MIN_SIMILARITY)
        return suggest_nearest(name, siblings) if is_near else own
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
        for inner in [*_models_in(field.annotation), *getattr(model, "field_models", {}).get(name, ())]:
            yield from _list_paths(inner, f"{prefix}{name}.")
