"""Commands in errors, help and documents: each names a command, options and fields that exist."""

import ast
import re
import shlex
from pathlib import Path

import pytest
from cli_commands import COMMANDS
from pydantic import TypeAdapter

from harness.specs import Variant
from harness.specs.experiment.experiment import Experiment

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
SCHEMAS = [TypeAdapter(kind).json_schema() for kind in (Experiment, Variant)]
"""What --set changes: an experiment, or with `harness inspect` a variant."""
HOLE = "HOLE"
"""Stands for a value that a program puts into the text."""


def texts_of_module(path):
    """Yield every text of a module, with a hole for each value."""
    tree = ast.parse(path.read_text())
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def find_commands(text, is_document):
    """Yield the commands between backticks, the examples of help, and the lines of documents that are a command."""
    yield from re.findall(r"`(harness [^`]+)`", text)
    start = "" if is_document else " *Example: "
    yield from re.findall(rf"^{start}(harness [a-z].*)$", text.replace("\\\n", " "), flags=re.MULTILINE)


def list_commands():
    modules = sorted((REPOSITORY / "harness").rglob("*.py"))
    texts = [(path, text) for path in modules for text in texts_of_module(path)]
    texts += [(path, path.read_text()) for path in DOCUMENTS]
    found = {command: path for path, text in texts for command in find_commands(text, path in DOCUMENTS)}
    return sorted((command, str(path.relative_to(REPOSITORY))) for command, path in found.items())


FOUND = list_commands()


def parse(command):
    """Return the name of a command, its options with their values, and its other words."""
    line = re.split(r" [>|] ", command)[0]
    words = shlex.split(line, comments=True)[1:]
    name = max((n for n in COMMANDS if words[: len(n.split())] == n.split()), key=len, default="")
    assert name or set(words) <= {"--help", "--version", "cluster", "data"}, f"there is no command: {command}"
    if not name:
        return "", [], []
    options = {flag: option for option in COMMANDS[name].params for flag in option.opts if flag.startswith("--")}
    rest, typed, others = words[len(name.split()) :], [], []
    while rest:
        word = rest.pop(0)
        flag, _, value = word.partition("=")
        if not flag.startswith("--"):
            others.append(word)
            continue
        assert flag in options or flag == "--help", f"{name} has no option {flag}: {command}"
        if flag in options and not options[flag].is_flag and not value and rest:
            value = rest.pop(0)
        typed.append((flag, value))
    return name, typed, others


def has_field(schema, path, root):
    """Return whether a JSON Schema has a field at a dotted path; below a free mapping every field is one."""
    if "$ref" in schema:
        return has_field(root["$defs"][schema["$ref"].rpartition("/")[2]], path, root)
    if not path:
        return True
    if "items" in schema:
        # A list of one may be written without its brackets.
        return has_field(schema["items"], path, root)
    if any(has_field(each, path, root) for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, ())):
        return True
    if path[0] in schema.get("properties", {}):
        return has_field(schema["properties"][path[0]], path[1:], root)
    is_free = schema.get("type") == "object" and "properties" not in schema
    return is_free or bool(schema.get("additionalProperties"))


def test_commands_are_found():
    assert len(FOUND) > 80 and len({path for _, path in FOUND}) > 20


@pytest.mark.parametrize(("command", "path"), FOUND)
def test_printed_command_exists_with_its_options_and_arguments(command, path):
    name, typed, others = parse(command)
    if name:
        arguments = [parameter for parameter in COMMANDS[name].params if parameter.param_type_name == "argument"]
        if all(argument.nargs == 1 for argument in arguments):
            assert len(others) <= len(arguments), f"{name} takes fewer arguments: {command} in {path}"
    for flag, value in typed:
        if flag == "--set" and "=" in value and HOLE not in value.partition("=")[0]:
            field = value.partition("=")[0].split(".")
            assert any(has_field(schema, field, schema) for schema in SCHEMAS), f"no field {value} in {path}"


def list_fields():
    pattern = re.compile(r"--set ([a-z_]+(?:\.[a-z_]+)*)=")
    modules = sorted((REPOSITORY / "harness").rglob("*.py"))
    texts = [text for path in modules for text in texts_of_module(path)] + [path.read_text() for path in DOCUMENTS]
    return sorted({field for text in texts for field in pattern.findall(text)} - {"key"})


@pytest.mark.parametrize("field", list_fields())
def test_field_that_a_text_sets_exists(field):
    assert any(has_field(schema, field.split("."), schema) for schema in SCHEMAS)


@pytest.mark.parametrize(
    "command", ["harness rum x", "harness run x --seed 3", "harness report x --all-of-them", "harness show --state"]
)
def test_wrong_command_would_be_found(command):
    with pytest.raises(AssertionError):
        parse(command)


@pytest.mark.parametrize("field", ["recipe.optimizer", "resources.cpu", "lr"])
def test_wrong_field_would_be_found(field):
    assert not any(has_field(schema, field.split("."), schema) for schema in SCHEMAS)
