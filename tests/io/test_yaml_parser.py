"""The YAML parser: texts that exceed a limit, create objects or control a terminal are refused."""

import pytest

from harness.errors import HarnessError, escape_control_characters
from harness.io.yaml_parser import parse_yaml


def parse(text):
    return parse_yaml(text, lambda line: f"file:{line}" if line else "file")


def nested_aliases(levels, merge):
    """Return YAML whose aliases stand for ten to the power of ``levels`` values."""
    lines = ["l0: &l0 {x: 1}" if merge else "l0: &l0 [x]"]
    for level in range(1, levels):
        ten = ", ".join([f"*l{level - 1}"] * 10)
        lines.append(f"l{level}: &l{level} " + (f"{{<<: [{ten}]}}" if merge else f"[{ten}]"))
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (nested_aliases(12, merge=False), "more than 100,000 values"),
        (nested_aliases(12, merge=True), "more than 100,000 values"),
        ("a: " + "[" * 100_000, "nested deeper than 50"),
        ("a: " + "[" * 60 + "]" * 60, "nested deeper than 50"),
        ("a: &a {<<: *a}", "nested deeper than 50"),
        ("? [a, b]\n: c", "the name of a field must be text"),
        (f"{'a' * 1000}: 1", "is not a valid name of a field"),
        ("a: " + "9" * 5000, "more than 70 digits"),
        ("a: 0x" + "f" * 5000, "more than 70 digits"),
        ("a: " + "1:" * 400 + "1.5", "more than 70 digits"),
        ("a: 2020-99-99", "month must be in 1..12"),
        ("a: !!bool x", "not valid YAML"),
        ("a: !!int ''", "not valid YAML"),
        ("a: !!timestamp x", "not valid YAML"),
        ("a: !!set {b, c}", "tags that create objects"),
        ("a: !!binary aGk=", "tags that create objects"),
        ("a: \x1b[31m", "U+001B"),
        (r'a: "\e[31m"', r"control character \x1b"),
        (r'a: "\u202e"', r"control character \u202e"),
        (r'a: "\ud800"', r"control character \ud800"),
        (r'a: "\U00110000"', "not valid YAML"),
        (r'"\e[31m": 1', r"control character \x1b"),
    ],
    ids=lambda value: value[:24].encode("unicode_escape").decode(),
)
def test_parse_yaml_refuses_text_that_is_not_plain_or_too_large(text, message):
    with pytest.raises(HarnessError) as error:
        parse(text)
    assert message in str(error.value)
    assert escape_control_characters(str(error.value)) == str(error.value)


def test_parse_yaml_reads_numbers_with_an_exponent_as_numbers():
    text = "a: 1e-5\nb: -2.5E+3\nc: .5e1\nd: e5\ne: 1.0\nf: '1e5'\n"
    assert parse(text)[0] == {"a": 1e-5, "b": -2500.0, "c": 5.0, "d": "e5", "e": 1.0, "f": "1e5"}


def test_parse_yaml_returns_the_line_of_each_field():
    assert parse("a: 1\nb:\n  c: [x,\n    y]\n")[1] == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", 0): 3,
        ("b", "c", 1): 4,
    }
