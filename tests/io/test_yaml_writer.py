"""The YAML writer: every text and number that it writes is read back as it was, by YAML 1.1 and by YAML 1.2."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import CONTROL_CHARACTERS
from harness.io.yaml_parser import parse_yaml
from harness.io.yaml_writer import format_yaml

TEXTS = [
    *("1e3", "010", "0o10", "0x1F", "0b11", "1_000", "1:30", "1.5", ".5", "5.", "-1", "+1", ".inf", "-.inf", ".nan"),
    *("65e6615551387925", "4762797d5258adf1", "1234567890123456", "yes", "No", "on", "OFF", "y", "true", "True"),
    *("null", "NULL", "~", "", " ", "=", "<<", "-", "- a", "---", "--- a", "...", "?", "? a", ":", "a: b", "a:", "#x"),
    *("a #b", "2026-11-26", "2001-12-14t21:59:43.10-05:00", " a", "a ", "a\n", "\na", "a\n\nb ", "a\n  b\n", "\ta"),
    *("a\tb", "a:\tb", "é", "\N{ROCKET}", "\ufeff", "\xa0", "'", '"', "\\", "%x", "@x", "`x", "&x", "*x", "!x", "|"),
    *("[1]", "{a: 1}", "1,5", "word " * 100, "a" * 5000, "a" * 200 + " " * 200 + "\n" + "b " * 200),
]  # fmt: skip
VALUES = st.recursive(
    st.one_of(
        st.sampled_from(TEXTS),
        st.text(st.characters(exclude_categories=["Cs"]).filter(lambda c: not CONTROL_CHARACTERS.search(c))),
        st.text(st.sampled_from(list(" \t\n:#-?,[]{}&*!|>'\"%@`~=<01.eExo_+ya\N{ROCKET}\ufeff")), max_size=30),
        st.integers(-(10**30), 10**30),
        st.floats(allow_nan=False),
        st.booleans(),
        st.none(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(TEXTS[:60]), inner)),
    max_leaves=8,
)


def read(text):
    return parse_yaml(text, lambda line, at: f"line {line}").value


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:20]))
def test_format_yaml_writes_text_that_both_versions_of_yaml_read_as_that_text(text):
    written = format_yaml({"a": text, "b": [text], text[:200]: 1})
    assert read(written) == {"a": text, "b": [text], text[:200]: 1}
    assert yaml.safe_load(written) == {"a": text, "b": [text], text[:200]: 1}


@settings(max_examples=100, deadline=None, database=None)
@given(VALUES)
def test_format_yaml_writes_any_value_so_that_it_is_read_back_with_its_type(value):
    # Equality alone would not tell 1 from 1.0 or true.
    assert repr(read(format_yaml({"a": value}))) == repr({"a": value})


def test_format_yaml_writes_a_value_that_occurs_twice_without_an_alias():
    shared = {"b": [1]}
    assert format_yaml({"a": shared, "c": shared}) == "a:\n  b:\n  - 1\nc:\n  b:\n  - 1\n"
