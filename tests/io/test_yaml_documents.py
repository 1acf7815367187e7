"""YAML documents: files that are not a mapping are refused, and ``--set`` assignments are applied."""

import os
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.io.yaml_documents import MOST_BYTES, Document, read_document


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "holds a list, not a mapping"),
        ("", "is empty"),
        ("name: [", "not valid YAML"),
        ("name: !!python/object/apply:os.system ['true']\n", "tags that create objects"),
        ("name: a\nname: b\n", "'name' is given twice"),
        ("a: &x [*x]\n", "nested deeper than 50"),
    ],
)
def test_read_document_refuses_a_file_that_is_not_a_plain_mapping(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(HarnessError, match=message) as error:
        read_document(path)
    assert error.value.where.startswith(str(path))


def test_read_document_of_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(HarnessError, match="No such file"):
        read_document(tmp_path / "nowhere.yaml")


def test_read_document_refuses_a_pipe_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(HarnessError, match="this is not a file"):
        read_document(tmp_path / "pipe.yaml")


def test_read_document_refuses_a_directory(tmp_path):
    with pytest.raises(HarnessError, match="this is not a file"):
        read_document(tmp_path)


def test_read_document_refuses_a_large_file_without_reading_it_whole(tmp_path):
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(100 * MOST_BYTES)
    with pytest.raises(HarnessError, match="larger than 1,000,000 bytes"):
        read_document(tmp_path / "large.yaml")


@pytest.fixture
def document():
    return Document(Path("a.yaml"), {"name": "a", "recipe": {"lr": 1}, "list": [{"x": 1}, 2]}, {("recipe",): 2})


@pytest.mark.parametrize(
    ("assignment", "changes"),
    [
        ("name=b", {"name": "b"}),
        ("recipe.lr=1e-3", {"recipe": {"lr": 0.001}}),
        ("recipe.epochs=5", {"recipe": {"lr": 1, "epochs": 5}}),
        ("list.1=[3, 6]", {"list": [{"x": 1}, [3, 6]]}),
        ("list.0.x=text", {"list": [{"x": "text"}, 2]}),
    ],
)
def test_override_replaces_a_field(document, assignment, changes):
    before = dict(document.data)
    document.override(assignment)
    assert document.data == {**before, **changes}
    key = assignment.partition("=")[0]
    assert document.where(tuple(key.split("."))) == f"--set {key}"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("recipe.lr", "is not an assignment"),
        ("=1", "is not an assignment"),
        ("name.x=1", "the value of 'name' has no fields"),
        ("list.2=0", "does not say which one"),
        ("list.²=0", "does not say which one"),
        (f"list.{'9' * 5000}=0", "there is no field"),
        (f"{'a.' * 3000}a=1", "there is no field"),
        (f"{'a' * 5000}=1", "there is no field"),
        ("recipe.lr=[", "not valid YAML"),
    ],
    ids=lambda value: value[:20],
)
def test_override_refuses_what_is_not_an_assignment_to_a_field(document, assignment, message):
    with pytest.raises(HarnessError, match=message) as error:
        document.override(assignment)
    assert error.value.where.startswith("--set")
    assert len(str(error.value)) < 6000


def test_where_names_the_line_of_the_nearest_field_of_the_file(document):
    assert document.where(("recipe", "lr")) == "a.yaml:2, recipe.lr"
    assert document.where(("seeds",)) == "a.yaml, seeds"


def test_where_of_contradicting_fields_names_the_one_that_was_overridden(document):
    document.override("recipe.lr=2")
    assert document.where(("recipe",)) == "--set recipe.lr"


SAME_VALUES = [
    *("1e3", "0x1F", "0o10", "1:30", "yes", "null", "~", "", ".inf", "2026-11-26", "#x", "a #b", "'#x'"),
    *("--- a", "---", "...", "a b", "[1, {b: 2}]", '"\\ud83d\\ude80"', "\N{ROCKET}", "&x [1]", "[&x 1, *x]"),
    *("|\n  a\n  b", "a\n  b", "a\n  ---\n  b", "\n  - 1\n  - 2", "\n  b: 1\n  c: 2"),
]  # fmt: skip


@pytest.mark.parametrize("value", SAME_VALUES, ids=ascii)
def test_override_reads_a_value_as_the_file_does(tmp_path, value):
    (tmp_path / "a.yaml").write_text(f"x: {value}\n")
    document = Document(Path("b.yaml"), {})
    document.override(f"x={value}")
    assert document.data == read_document(tmp_path / "a.yaml").data


@pytest.mark.parametrize(
    "value",
    [
        "010",
        "*x",
        "{b: 1, b: 2}",
        "\t1",
        "{\t1}",
        "{1: 2}",
        "[",
        "!!set {a}",
        "%a",
        "@a",
        "'a",
        r'"\e"',
        "a\x07",
    ],
    ids=ascii,
)
def test_override_refuses_a_value_as_the_file_does(tmp_path, value):
    (tmp_path / "a.yaml").write_text(f"x: {value}\n")
    with pytest.raises(HarnessError) as of_file:
        read_document(tmp_path / "a.yaml")
    with pytest.raises(HarnessError) as of_option:
        Document(Path("b.yaml"), {}).override(f"x={value}")
    assert (of_option.value.what, of_option.value.remedy) == (of_file.value.what, of_file.value.remedy)
    assert of_option.value.where.startswith("--set x")


@pytest.mark.parametrize("second", ["recipe.lr=2", "recipe={lr: 2}"])
def test_override_takes_the_place_of_an_earlier_one(document, second):
    """A script may add an assignment to its usual ones."""
    document.override("recipe.lr=1e3")
    document.override(second)
    assert document.data["recipe"] == {"lr": 2}
    assert document.plain[("recipe", "lr")] == "2"


def test_override_of_a_part_after_the_whole_changes_the_part(document):
    document.override("recipe={lr: 1, epochs: 2}")
    document.override("recipe.lr=3")
    assert document.data["recipe"] == {"lr": 3, "epochs": 2}


def test_override_below_a_field_without_value_fills_it():
    document = Document(Path("a.yaml"), {"recipe": None})
    document.override("recipe.lr=1")
    assert document.data == {"recipe": {"lr": 1}}
