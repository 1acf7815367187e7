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
