"""Texts and tables on narrow terminals: no number and no command is torn apart."""

import io
import json
import os

import pytest
from rich.table import Table
from rich.text import Text

from harness.cli.console import print_json
from harness.cli.terminal import MIN_WIDTH, PIPE_WIDTH, TerminalConsole, correct_columns, list_rows, wrap_text


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def show(monkeypatch):
    """Return a function that prints on a terminal, or into a pipe, of some columns, and returns the lines."""

    def lines(print_on, columns, kind=Screen):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "dumb")
        file = kind()
        print_on(TerminalConsole(file=file))
        return file.getvalue().splitlines()

    return lines


def make_table():
    table = Table("variant", "parameters", "MACs", box=None)
    table.add_row("cifar-resnet1202", "19,421,274", "2,863,000,576")
    table.add_row("[bold]plain8[/bold]", "75,290", "")
    return table


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("about 15.14 points more", 12, ["about 15.14", "points more"]),
        ("  a note of two lines", 10, ["  a note", "  of two", "  lines"]),
        ("Use `harness run x --seeds 8` again", 20, ["Use", "`harness run x --seeds 8`", "again"]),
        ("/a/path/longer/than/the/terminal is kept", 12, ["/a/path/longer/than/the/terminal", "is kept"]),
        ("one\n\ntwo", 12, ["one", "", "two"]),
        ("漢字漢字 漢字", 10, ["漢字漢字", "漢字"]),
    ],
)
def test_wrap_text_breaks_between_words_and_keeps_commands(text, width, lines):
    assert [line.plain for line in wrap_text(Text(text), width)] == lines


@pytest.mark.parametrize("columns", [MIN_WIDTH, 40, 60, 80, 200])
def test_table_shows_every_number_whole_at_any_width(show, columns):
    lines = show(lambda console: console.print_table(make_table()), columns)
    assert all(len(line) <= columns for line in lines)
    for number in ("cifar-resnet1202", "19,421,274", "2,863,000,576", "plain8", "75,290"):
        assert any(number in line for line in lines)


def test_table_without_room_becomes_lists_of_values():
    assert [line.plain for line in list_rows(make_table(), 40)] == [
        "cifar-resnet1202",
        "  parameters 19,421,274,",
        "  MACs 2,863,000,576",
        "plain8",
        "  parameters 75,290",
    ]


def test_table_wider_than_a_pipe_is_not_cut(show):
    table = Table("a", "b", box=None)
    table.add_row("x" * 100, "1,234,567,890" * 8)
    lines = show(lambda console: console.print_table(table), 60, io.StringIO)
    assert len(lines) == 2 and "1,234,567,890" * 8 in lines[1]


def test_text_in_a_pipe_has_no_line_breaks_of_its_own(show):
    assert show(lambda console: console.print_lines("word " * 60), 60, io.StringIO) == [("word " * 60)]


@pytest.mark.parametrize(("columns", "width"), [("0", 80), ("-3", 80), ("wide", 80), ("5", MIN_WIDTH), ("60", 60)])
def test_width_of_a_terminal_follows_columns_unless_they_make_no_sense(monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("os.get_terminal_size", lambda *descriptor: (_ for _ in ()).throw(OSError))
    assert TerminalConsole(file=Screen()).width == width
    assert TerminalConsole(file=io.StringIO()).width == PIPE_WIDTH


@pytest.mark.parametrize(("columns", "corrected"), [("0", None), ("3", str(MIN_WIDTH)), ("60", "60"), ("x", "x")])
def test_columns_without_room_for_help_are_corrected(monkeypatch, columns, corrected):
    monkeypatch.setenv("COLUMNS", columns)
    correct_columns()
    assert os.environ.get("COLUMNS") == corrected


def test_names_are_no_emoji(show):
    assert show(lambda console: console.print_lines("a:smile:b"), 80) == ["a:smile:b"]


def test_json_has_null_for_numbers_that_are_not_finite(capsys):
    print_json({"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": -float("inf")}, "e": "ü"})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"a": None, "b": [1.5, None], "c": {"d": None}, "e": "ü"}
    assert printed.isascii()
