"""All commands of the command line, by name, as Typer builds them."""

import typer.main

from harness.cli.main import app


def list_commands(command=None, words=()):
    """Yield (name, command) of every command that does something, such as ``cluster check``."""
    command = command or typer.main.get_command(app)
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(words), command
    for word, child in (children or {}).items():
        yield from list_commands(child, (*words, word))


COMMANDS = dict(list_commands())
