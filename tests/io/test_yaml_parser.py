"""The YAML parser: texts that exceed a limit, create objects or control a terminal are refused."""

import pytest

from harness.errors import HarnessError, escape_control_characters
from harness.io.yaml_parser import parse_yaml


def parse(text):
    return parse_yaml(text, lambda line, at: f"file:{line}" if line else "file")


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
        ("a: !!bool x", "not valid YAML"),
        ("a: !!int ''", "not valid YAML"),
        ("a: !!timestamp 2020-01-01", "tags that create objects"),
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


CORE_VALUES = {
    "10": 10, "+10": 10, "-10": -10, "0": 0, "0o10": 8, "0x1F": 31, "1e2": 100.0, "1.": 1.0, "01.5": 1.5, "-.5": -0.5,
    "true": True, "True": True, "FALSE": False, "null": None, "~": None, "": None, ".inf": float("inf"),
    "yes": "yes", "No": "No", "on": "on", "OFF": "OFF", "y": "y", "1:30": "1:30", "1:30.5": "1:30.5", "1_000": "1_000",
    "0b11": "0b11", "-0x1F": "-0x1F", "2026-11-26": "2026-11-26", "2020-99-99": "2020-99-99", "=": "=", "1e": "1e",
    "inf": "inf", "nan": "nan", "1,5": "1,5", "1.2.3": "1.2.3", "!!str 5": "5", "!!float 5": 5.0, "'010'": "010",
}  # fmt: skip


@pytest.mark.parametrize("text", CORE_VALUES)
def test_parse_yaml_reads_a_value_as_the_core_schema_of_yaml_1_2(text):
    value = parse(f"a: {text}")[0]["a"]
    assert (type(value), value) == (type(CORE_VALUES[text]), CORE_VALUES[text])


@pytest.mark.parametrize("text", ["010", "-010", "00", "08", "0777", "[1, 010]", "{b: 010}", "!!int 010"])
def test_parse_yaml_refuses_a_number_that_begins_with_0(text):
    with pytest.raises(HarnessError, match="begins with 0") as error:
        parse(f"a: {text}")
    assert error.value.where == "file:1"


@pytest.mark.parametrize("name", ["1", "1.5", "true", "~", "010", "1e3"])
def test_parse_yaml_refuses_the_name_of_a_field_that_is_not_text(name):
    with pytest.raises(HarnessError, match="the name of a field must be text") as error:
        parse(f"a: {{{name}: b}}")
    assert f"'{name}'" in error.value.remedy
    assert parse(f"a: {{'{name}': b}}")[0] == {"a": {name: "b"}}


@pytest.mark.parametrize("text", ["65e6615551387925", "0123456789012345", "1234567890123456", "0o12345670123456"])
def test_parse_yaml_reads_a_hash_as_text(text):
    value = parse(f"data: {{fingerprint: {text}}}\nvariants: [{{set: {{weights: {{sha256: {text}}}}}}}]")[0]
    assert value["data"]["fingerprint"] == text
    assert value["variants"][0]["set"]["weights"]["sha256"] == text


def test_parse_yaml_reads_a_hash_without_value_as_none():
    assert parse("data: {fingerprint: ~}")[0] == {"data": {"fingerprint": None}}


@pytest.mark.parametrize("text", ["yes", "Off", "1_000", "1:30", "0b11", "-0x1F"])
def test_parse_yaml_refuses_an_argument_of_a_function_that_yaml_1_1_reads_otherwise(text):
    with pytest.raises(HarnessError, match=r"in YAML 1\.1, and text in YAML 1\.2"):
        parse(f"args: {{b: [{text}]}}")
    assert parse(f"args: {{b: ['{text}', 2026-11-26, no-bias]}}")[0]["args"]["b"] == [text, "2026-11-26", "no-bias"]


def test_parse_yaml_reads_the_escapes_of_json_for_a_character_above_ffff():
    assert parse(r'a: "\ud83d\ude80"')[0] == {"a": "\N{ROCKET}"}


def test_parse_yaml_reads_the_file_of_another_program_as_yaml_1_1():
    text = "a: 010\nb: yes\nc: 1:30\n3: {d: 1e3}\n"
    parsed = parse_yaml(text, lambda line, at: str(line), is_yaml_1_1=True)
    assert parsed.value == {"a": 8, "b": True, "c": 90, 3: {"d": "1e3"}}


def test_parse_yaml_names_the_line_of_a_character_that_is_not_allowed():
    with pytest.raises(HarnessError, match=r"U\+2028") as error:
        parse("a: 1\nb: x\u2028y\n")
    assert error.value.where == "file:2"


def test_parse_yaml_returns_the_line_of_each_field():
    assert parse("a: 1\nb:\n  c: [x,\n    y]\n")[1] == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", 0): 3,
        ("b", "c", 1): 4,
    }
