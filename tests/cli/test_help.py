"""The help of every command."""

import re
import shlex

import pytest
from cli_commands import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_every_argument_and_option(name):
    command = COMMANDS[name]
    assert command.help
    for parameter in command.params:
        assert parameter.help, f"{name} {parameter.name} has no help"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_an_example_that_the_command_accepts(name):
    example = re.search(r"Example: harness (.*)\Z", COMMANDS[name].help, flags=re.DOTALL)
    assert example, f"the help of {name} has no example in its last line"
    words = shlex.split(example[1].partition(" > ")[0])
    assert " ".join(words[: len(name.split())]) == name
    COMMANDS[name].make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["data", "pack", "--help"], []])
def test_help_is_printed(invoke, arguments):
    done = invoke(*arguments)
    assert "Usage: " in done.output and "harness" in done.output


def test_version_is_printed(invoke):
    done = invoke("--version")
    assert done.exit_code == 0 and re.fullmatch(r"depthbench \d+\.\d+\.\d+\n", done.output)
