"""Options of the commands that are derived from the declarations."""

import inspect
from pathlib import Path

import pytest
import typer
from cli_commands import COMMANDS
from typer.testing import CliRunner

from harness.cli.parameters import typed_options, with_options
from harness.settings import BenchmarkOptions, RunOptions, Settings
from harness.settings.option import options_of

DECLARED = options_of(Settings) | options_of(RunOptions) | options_of(BenchmarkOptions)
OTHER_MEANING = {
    ("evaluate", "--data-root"),
    ("evaluate", "--download"),
    ("evaluate", "--device"),
    ("inspect", "--set"),
}
"""Options of a command that have a declared flag, and another meaning there."""
DERIVED = [
    (name, parameter)
    for name, command in COMMANDS.items()
    for parameter in command.params
    for option in DECLARED.values()
    if option.flag.partition("/")[0] in parameter.opts and (name, parameter.opts[0]) not in OTHER_MEANING
]


@pytest.mark.parametrize(("command", "parameter"), DERIVED, ids=lambda value: getattr(value, "name", value))
def test_option_is_the_same_in_every_command(command, parameter):
    option = DECLARED[parameter.name]
    assert "/".join([*parameter.opts, *parameter.secondary_opts]) == option.flag
    assert (parameter.help, parameter.envvar) == (option.help, option.environment)


@pytest.mark.parametrize("name", DECLARED)
def test_every_declared_option_is_taken_by_a_command(name):
    assert name in {parameter.name for _, parameter in DERIVED}


def invoke(command, *words, env=None):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, list(words), env=env, catch_exceptions=False)


@pytest.fixture
def received():
    """Return a list of the settings that the command ``show`` receives."""
    return []


@pytest.fixture
def show(received):
    @with_options(Settings, "launcher", "home", "time_limit", "storage", launcher="inline")
    def show(settings: Settings, name: str = "x") -> None:
        received.append((settings, name))

    return show


def test_command_receives_its_options_as_one_object(show, received):
    words = ["--launcher", "ray", "--home", "there", "--time-limit", "30m", "--name", "y"]
    assert invoke(show, *words).exit_code == 0
    assert received == [(Settings(launcher="ray", home=Path("there"), time_limit=1800.0), "y")]
    assert type(received[0][0].launcher) is str


def test_command_has_its_own_default_and_those_of_the_fields(show, received):
    invoke(show)
    assert received == [(Settings(launcher="inline"), "x")]


def test_environment_fills_an_option_that_is_not_typed(show, received):
    invoke(show, env={"DEPTHBENCH_HOME": "/state", "DEPTHBENCH_STORAGE": "s3://ours"})
    invoke(show, "--home", "typed", env={"DEPTHBENCH_HOME": "/state"})
    assert [(settings.home, settings.storage) for settings, _ in received] == [
        (Path("/state"), "s3://ours"),
        (Path("typed"), None),
    ]


def test_value_that_is_not_a_choice_is_refused(show, received):
    done = invoke(show, "--launcher", "slurm")
    assert done.exit_code == 2 and not received


def test_options_stand_where_the_parameter_stood(show):
    assert list(inspect.signature(show).parameters) == ["launcher", "home", "time_limit", "storage", "name"]


def test_typed_options_leave_out_defaults_and_the_environment():
    typed = []

    @with_options(Settings, "home", "storage", "wait")
    def command(context: typer.Context, settings: Settings) -> None:
        typed.append(typed_options(context))

    invoke(command, "--wait", "5m", env={"DEPTHBENCH_STORAGE": "s3://ours"})
    assert typed == [{"wait": "5m"}]
