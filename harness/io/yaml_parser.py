"""YAML text into plain values, with the line of each field and limits on what a text may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import yaml

from harness.errors import CONTROL_CHARACTERS, HarnessError

Location = tuple[str | int, ...]
"""Path to a field: names of mappings' fields and indices of lists, from the outside in."""

MOST_VALUES = 100_000
"""Limit on the values of a text, counted with its aliases written out: those can grow exponentially."""
MOST_LEVELS = 50
MOST_DIGITS = 70
"""Limit on the digits of a number: a 64-bit number in base 2 has fewer, and Python does not print thousands."""
MOST_LETTERS = 200
"""Limit on the letters of a field's name."""
PLAIN_TAGS = {f"tag:yaml.org,2002:{t}" for t in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")}
NUMBER_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float")}
MERGE_TAG = "tag:yaml.org,2002:merge"
PLAIN_VALUES = "Use plain YAML values only: mappings, lists, text and numbers."


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader that also reads ``1e-5`` as a number, as YAML 1.2 does; YAML 1.1 reads it as text."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+"), list("-+.0123456789")
)


def parse_yaml(text: str, where: Callable[[int | None], str]) -> tuple[Any, dict[Location, int]]:
    """Return (value, line of each of its fields) of a YAML text.

    Args:
        where: Returns the place that an error names, for one line of the text, or for the whole text (None).

    Raises:
        HarnessError: The text is not plain YAML, or exceeds a limit.
    """
    loader = None
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, {}
        # Check the nodes before values are made of them, because aliases and merge keys multiply in that step.
        lines = dict(_check_node(node, where, count(1)))
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise HarnessError(
            f"this is not valid YAML: {error.problem or error.context}",
            where=where(mark.line + 1 if mark else None),
            remedy=PLAIN_VALUES,
        ) from error
    except RecursionError as error:
        raise HarnessError(f"this YAML is nested deeper than {MOST_LEVELS} levels", where=where(None)) from error
    except yaml.reader.ReaderError as error:
        raise HarnessError(
            f"this is not valid YAML: it contains the character U+{error.character:04X}", where=where(None)
        ) from error
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        # PyYAML finds a malformed number or date only when it makes a value of it: 2020-99-99, 0x_, !!bool x.
        raise HarnessError(f"this is not valid YAML: {error}", where=where(None)) from error
    finally:
        if loader is not None:
            loader.dispose()


def _check_node(
    node: yaml.Node, where: Callable[[int | None], str], values: Iterator[int], at: Location = ()
) -> Iterator[tuple[Location, int]]:
    """Yield (location, line) of every field below a node; refuse tags, repeated keys, and what exceeds a limit."""
    line = node.start_mark.line + 1
    if next(values) > MOST_VALUES:
        raise HarnessError(
            f"this YAML holds more than {MOST_VALUES:,} values (each alias counts as a copy)", where=where(line)
        )
    if len(at) > MOST_LEVELS:
        raise HarnessError(f"this YAML is nested deeper than {MOST_LEVELS} levels", where=where(line))
    if node.tag not in PLAIN_TAGS:
        raise HarnessError("YAML tags that create objects are not allowed", where=where(line), remedy=PLAIN_VALUES)
    if isinstance(node, yaml.MappingNode):
        names = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise HarnessError("the name of a field must be text", where=where(line))
            if key.tag not in PLAIN_TAGS | {MERGE_TAG} or len(key.value) > MOST_LETTERS:
                raise HarnessError(f"'{key.value[:60]}' is not a valid name of a field", where=where(line))
            _check_scalar(key, _describe_place(where(line), at))
            if key.value in names:
                raise HarnessError(
                    f"the field '{key.value}' is given twice", where=where(line), remedy="Remove one of the two."
                )
            names.add(key.value)
            yield (*at, key.value), line
            yield from _check_node(value, where, values, (*at, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*at, index), value.start_mark.line + 1
            yield from _check_node(value, where, values, (*at, index))
    else:
        _check_scalar(node, _describe_place(where(line), at))


def _describe_place(line: str, at: Location) -> str:
    return f"{line}, {'.'.join(map(str, at))}" if at else line


def _check_scalar(node: yaml.Node, place: str) -> None:
    match = CONTROL_CHARACTERS.search(node.value)
    if match:
        raise HarnessError(
            f"this text contains the control character {ascii(match[0])[1:-1]}", where=place, remedy="Remove it."
        )
    if node.tag in NUMBER_TAGS and len(node.value) > MOST_DIGITS:
        raise HarnessError(
            f"this number has more than {MOST_DIGITS} digits", where=place, remedy="Write it with fewer digits."
        )
