"""YAML text into plain values, with the line of each field and limits on what a text may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

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
STR, INT, FLOAT, MERGE, TIMESTAMP = (
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "merge", "timestamp")
)
CORE_SCHEMA = {
    "tag:yaml.org,2002:null": re.compile(r"(?:~|null|Null|NULL|)\Z"),
    "tag:yaml.org,2002:bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    INT: re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
    FLOAT: re.compile(
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
    MERGE: re.compile(r"<<\Z"),
}
"""Values without quotes that are not text: the core schema of YAML 1.2 (section 10.3.2), and merge keys."""
PLAIN_TAGS = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", STR, *CORE_SCHEMA} - {MERGE}
LEADING_ZEROS = re.compile(r"[-+]?0[0-9]+")
"""Whole numbers that are octal in YAML 1.1 and decimal in YAML 1.2."""
SURROGATE_PAIRS = re.compile("[\ud800-\udbff][\udc00-\udfff]")
HASH_FIELDS = {("data", "fingerprint"), ("weights", "sha256")}
"""Fields that hold a hash. It is text without quotes too, because 65e6615551387925 looks like a number."""
UNTYPED_FIELDS = {"args"}
"""Fields that hold values of any type. No type says there whether ``yes`` is text, as in YAML 1.2, or true."""
PLAIN_VALUES = "Use plain YAML values only: mappings, lists, text and numbers."


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which reads YAML 1.1, with the values of YAML 1.2's core schema."""

    yaml_implicit_resolvers: ClassVar[dict[str | None, Any]] = {}  # type: ignore[misc]
    # Without U+0085, U+2028 and U+2029, which end a line in YAML 1.1 only.
    NON_PRINTABLE = re.compile(  # type: ignore[misc]
        "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    )


for _tag, _pattern in CORE_SCHEMA.items():
    Loader.add_implicit_resolver(_tag, _pattern, None)
Loader.add_constructor(INT, lambda loader, node: int(node.value, 0))


class Parsed(NamedTuple):
    """A YAML text as values.

    Attributes:
        lines: Line of each field.
        plain: Text of each value that is written without quotes.
    """

    value: Any
    lines: dict[Location, int]
    plain: dict[Location, str]


Where = Callable[[int | None, Location], str]
"""Function that returns the place that an error names, for a line (None: the whole text) and a field in it."""


def parse_yaml(text: str, where: Where, at: Location = (), is_yaml_1_1: bool = False) -> Parsed:
    """Return the value of a YAML text.

    Args:
        at: Location of the value in its document.
        is_yaml_1_1: Whether values have the types of YAML 1.1, for a file that another program reads in that way.

    Raises:
        HarnessError: The text is not plain YAML, or exceeds a limit.
    """
    loader = None
    try:
        loader = yaml.SafeLoader(text) if is_yaml_1_1 else Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Parsed(None, {}, {})
        # Check the nodes before values are made of them, because aliases and merge keys multiply in that step.
        fields = [(at, 0, node), *_NodeCheck(where, is_yaml_1_1).check(node, at)]
        lines = {location: line for location, line, _ in fields[1:]}
        plain = {
            location: inner.value
            for location, _, inner in fields
            if isinstance(inner, yaml.ScalarNode) and inner.style is None
        }
        return Parsed(loader.construct_document(node), lines, plain)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context)
        raise HarnessError(
            f"this is not valid YAML: {problem}",
            where=where(mark.line + 1 if mark else None, at),
            remedy=_find_remedy(problem),
        ) from error
    except RecursionError as error:
        raise HarnessError(f"this YAML is nested deeper than {MOST_LEVELS} levels", where=where(None, at)) from error
    except yaml.reader.ReaderError as error:
        raise HarnessError(
            f"this is not valid YAML: it contains the character U+{error.character:04X}",
            where=where(text.count("\n", 0, error.position) + 1, at),
            remedy="Remove it.",
        ) from error
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        # PyYAML finds a malformed escape or date only when it makes a value of it.
        raise HarnessError(f"this is not valid YAML: {error}", where=where(None, at)) from error
    finally:
        if loader is not None:
            loader.dispose()


def _find_remedy(problem: str) -> str:
    r"""Return what helps against a problem that PyYAML names, such as ``found character '\t'``."""
    if r"'\t'" in problem:
        return "Use spaces in place of tabs."
    if "mapping values are not allowed" in problem or "cannot start any token" in problem:
        return "Put text that contains ': ' or begins with a special character in quotes."
    return PLAIN_VALUES


def reads_otherwise_in_yaml_1_1(text: str) -> bool:
    """Return whether text without quotes is a number or a boolean in YAML 1.1: ``yes``, ``1:30`` or ``1_000``."""
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], [])
    return any(pattern.match(text) for tag, pattern in resolvers if tag != TIMESTAMP)


@dataclass
class _NodeCheck:
    """The check of the nodes of one text: tags, repeated keys, and what exceeds a limit are refused."""

    where: Where
    is_yaml_1_1: bool
    values: int = 0

    def check(self, node: yaml.Node, at: Location) -> Iterator[tuple[Location, int, yaml.Node]]:
        """Yield (location, line, value) of every field below a node.

        Raises:
            HarnessError: A node is refused.
        """
        line = node.start_mark.line + 1
        self.values += 1
        if self.values > MOST_VALUES:
            raise HarnessError(
                f"this YAML holds more than {MOST_VALUES:,} values (each alias counts as a copy)",
                where=self.where(line, at),
            )
        if len(at) > MOST_LEVELS:
            raise HarnessError(f"this YAML is nested deeper than {MOST_LEVELS} levels", where=self.where(line, at))
        if node.tag not in PLAIN_TAGS and not (self.is_yaml_1_1 and node.tag == TIMESTAMP):
            raise HarnessError(
                "YAML tags that create objects are not allowed", where=self.where(line, at), remedy=PLAIN_VALUES
            )
        if isinstance(node, yaml.MappingNode):
            yield from self._check_fields(node, at)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                yield (*at, index), value.start_mark.line + 1, value
                yield from self.check(value, (*at, index))
        elif isinstance(node, yaml.ScalarNode):
            self._check_scalar(node, at)

    def _check_fields(self, node: yaml.MappingNode, at: Location) -> Iterator[tuple[Location, int, yaml.Node]]:
        names = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise HarnessError("the name of a field must be text", where=self.where(line, at))
            if key.tag not in PLAIN_TAGS | {MERGE} or len(key.value) > MOST_LETTERS:
                raise HarnessError(f"'{key.value[:60]}' is not a valid name of a field", where=self.where(line, at))
            if key.tag not in (STR, MERGE) and not self.is_yaml_1_1:
                raise HarnessError(
                    f"the name of a field must be text, and {key.value or 'this one'} is not",
                    where=self.where(line, at),
                    remedy=f"Write it in quotes: '{key.value}'.",
                )
            self._check_text(key, self.where(line, at))
            if key.value in names:
                raise HarnessError(
                    f"the field '{key.value}' is given twice",
                    where=self.where(line, at),
                    remedy="Remove one of the two.",
                )
            names.add(key.value)
            yield (*at, key.value), line, value
            yield from self.check(value, (*at, key.value))

    def _check_scalar(self, node: yaml.ScalarNode, at: Location) -> None:
        place = self.where(node.start_mark.line + 1, at)
        self._check_text(node, place)
        if node.tag in (INT, FLOAT) and len(node.value) > MOST_DIGITS:
            raise HarnessError(
                f"this number has more than {MOST_DIGITS} digits", where=place, remedy="Write it with fewer digits."
            )
        if self.is_yaml_1_1:
            return
        if node.style is None and node.tag in (INT, FLOAT) and at[-2:] in HASH_FIELDS:
            node.tag = STR
        if node.tag in CORE_SCHEMA and not CORE_SCHEMA[node.tag].match(node.value):
            kind = node.tag.rpartition(":")[2]
            raise HarnessError(f"this is not valid YAML: '{node.value[:60]}' is not a value of !!{kind}", where=place)
        if node.tag == INT and LEADING_ZEROS.fullmatch(node.value):
            raise HarnessError(
                f"the number {node.value} begins with 0, which means base 8 to some programs and base 10 to others",
                where=place,
                remedy=f"Write {int(node.value)} for the number, or '{node.value}' in quotes for text.",
            )
        if (
            node.tag == STR
            and node.style is None
            and UNTYPED_FIELDS & set(at)
            and reads_otherwise_in_yaml_1_1(node.value)
        ):
            raise HarnessError(
                f"{node.value} is a number, true or false in YAML 1.1, and text in YAML 1.2",
                where=place,
                remedy=f"Write '{node.value}' in quotes for text; else a number in digits, true or false.",
            )

    def _check_text(self, node: yaml.ScalarNode, place: str) -> None:
        # JSON writes a character above U+FFFF as the escapes of two surrogates.
        node.value = SURROGATE_PAIRS.sub(
            lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), node.value
        )
        match = CONTROL_CHARACTERS.search(node.value)
        if match:
            raise HarnessError(
                f"this text contains the control character {ascii(match[0])[1:-1]}", where=place, remedy="Remove it."
            )
