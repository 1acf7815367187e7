"""The parameters of the commands: derived from the declarations in harness.settings, and those that several share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from harness.settings import BenchmarkOptions
from harness.settings.option import Option, options_of, parse_options
from harness.settings.user_paths import resolve_path

Experiment = Annotated[
    str, typer.Argument(help="A YAML file, or the name of a file in experiments/.", metavar="EXPERIMENT")
]
RecordedExperiments = Annotated[
    list[str] | None,
    typer.Argument(help="Names of experiments. Default: all that are recorded.", metavar="[EXPERIMENT]..."),
]
TrialId = Annotated[str, typer.Argument(help="A trial's id, or its first digits (at least 4).", metavar="ID")]
Variant = Annotated[
    str, typer.Argument(help="A variant, such as resnet18, cifar-plain56, cifar-resnet1202 or wrn-28-10.")
]


def _as_parser(parse: Callable[[Any], Any] | None) -> Callable[[str], Any]:
    """Return a function of an option as Typer takes it, with a name, which stands in usage errors."""

    def path(text: str) -> Any:
        return text if parse is None else parse(text)

    return path


def path_option(flag: str, help: str, metavar: str) -> Any:
    """Return an option for a path to be read, in which ``~`` is expanded in every spelling."""
    parser = _as_parser(functools.partial(resolve_path, option=flag))
    return typer.Option(flag, help=help, metavar=metavar, parser=parser)


Cluster = Annotated[
    Path | None,
    path_option("--cluster", "The cluster's YAML file, with which `ray up` started it.", "FILE"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def with_options(kind: type, *names: str, **defaults: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of some declared fields, in place of its one parameter of type ``kind``.

    The command receives an object of that type, built from the options' values.

    Args:
        kind: A dataclass whose fields declare options, such as :class:`harness.settings.Settings`.
        names: The fields whose options the command takes; none: all.
        defaults: Defaults of this command that are not the field's own.
    """

    names = names or tuple(options_of(kind))

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        parameters: list[inspect.Parameter] = []
        target = ""
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            if parameter.annotation is kind:
                target = parameter.name
                parameters += [_derive_parameter(kind, name, defaults) for name in names]
            else:
                parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

        @functools.wraps(command)
        def call(**values: Any) -> Any:
            fields = {name: values.pop(name) for name in names}
            return command(**values, **{target: parse_options(kind, fields)})

        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return call

    return decorate


def _derive_parameter(kind: type, name: str, defaults: dict[str, Any]) -> inspect.Parameter:
    """Return the parameter of a command for a declared field."""
    option = options_of(kind)[name]
    default = defaults.get(name, getattr(kind, name))
    value_type = _value_type(kind, name, option)
    if option.typed_as is not None:
        default, value_type = None, value_type | None
    annotation = Annotated[value_type, _typer_option(option, value_type)]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _typer_option(option: Option, value_type: Any = None) -> Any:
    details: dict[str, Any] = {"metavar": option.metavar}
    if value_type is Path:
        # Typer would make the working directory of an empty text, such as that of an unset variable of a shell.
        details = {"metavar": option.metavar or "DIRECTORY", "parser": _as_parser(option.parse)}
    return typer.Option(option.flag, help=option.help, envvar=option.environment, min=option.minimum, **details)


def _value_type(kind: type, name: str, option: Option) -> Any:
    """Return the type from which Typer converts and completes the value."""
    if option.choices:
        return StrEnum(name.capitalize(), {choice: choice for choice in option.choices})
    return option.typed_as or get_type_hints(kind)[name]


class ImageLayout(StrEnum):
    """The layout of a folder of images: its directories are classes, or splits that hold classes."""

    classes = "classes"
    splits = "splits"


Layout = Annotated[
    ImageLayout | None,
    typer.Option(
        "--layout",
        help="Whether the directories of images are classes, or splits (train, val, test) that hold the classes. "
        "Needed only where their names allow both.",
    ),
]
InputShape = Annotated[str | None, _typer_option(options_of(BenchmarkOptions)["shape"])]


def typed_options(context: typer.Context) -> dict[str, Any]:
    """Return the values that the user typed, without defaults and values of the environment, by parameter name."""
    return {
        name: value
        for name, value in context.params.items()
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }
