"""A parser of shell commands: the programs that a command runs, with their options and environment."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

WRAPPERS = {"env", "exec", "nohup", "setsid", "sudo", "time"}
"""Programs that run the program named after them."""
COMMAND_OUTPUT = "$_"
"""Replaces a command substitution, whose output is not known."""
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
MAX_NESTING = 4
"""Depth of quoted commands, such as ``bash -c '...'``, that are parsed."""


@dataclass(frozen=True)
class ProgramCall:
    """One program that a command runs.

    Attributes:
        words: Name of the program without its directory, and its arguments.
        env: Variables that the command exports to it.
    """

    words: list[str]
    env: dict[str, str]

    @property
    def options(self) -> dict[str, str]:
        """Value of each option in any form (``--port 5000``, ``--port=5000``, ``-p 5000``); empty for a flag."""
        options = {}
        for word, next_word in zip(self.words, [*self.words[1:], "-"], strict=True):
            if word.startswith("-") and word != "-":
                name, equals, value = word.partition("=")
                options[name] = value if equals or next_word.startswith("-") else next_word
        return options


def parse_programs(command: str, depth: int = 0) -> Iterator[ProgramCall]:
    """Yield every program of a command in its order, including those in quoted commands.

    Args:
        depth: Number of quoted commands around this one.
    """
    exported: dict[str, str] = {}
    variables: dict[str, str] = {}
    for statement in _split_statements(command):
        words = [_expand(word, variables) for word in statement]
        prefix: dict[str, str] = {}
        while words and (words[0] in WRAPPERS or ASSIGNMENT.fullmatch(words[0])):
            if match := ASSIGNMENT.fullmatch(words.pop(0)):
                prefix[match[1]] = match[2]
        if not words:
            variables |= prefix
            exported |= {name: value for name, value in prefix.items() if name in exported}
        elif words[0] == "export":
            assigned = {match[1]: match[2] for word in words[1:] if (match := ASSIGNMENT.fullmatch(word))}
            variables |= assigned
            exported |= assigned | {word: variables[word] for word in words[1:] if word in variables}
        else:
            yield ProgramCall([PurePosixPath(words[0]).name, *words[1:]], exported | prefix)
            for word in words[1:]:
                if " " in word and depth < MAX_NESTING:
                    for call in parse_programs(word, depth + 1):
                        yield ProgramCall(call.words, exported | prefix | call.env)


def _split_statements(command: str) -> list[list[str]]:
    """Return the words of each statement, without redirections."""
    text = re.sub(r"\$\([^()]*\)|`[^`]*`", COMMAND_OUTPUT, command.replace("\\\n", " ").replace("\n", ";"))
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|()<>")
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError:
        # With an unclosed quote, the words are at least separated by spaces.
        words = text.split()
    statements: list[list[str]] = [[]]
    for word, previous in zip(words, ["", *words[:-1]], strict=True):
        if set(word) <= set(";&|()"):
            statements.append([])
        elif not _is_redirection(word) and not _is_redirection(previous):
            statements[-1].append(word)
    return [statement for statement in statements if statement]


def _is_redirection(word: str) -> bool:
    """Return whether a word is an operator such as ``>`` or ``2>&1``, without its target."""
    return set(word) <= set("<>&|") and bool(set(word) & set("<>"))


def _expand(word: str, variables: dict[str, str]) -> str:
    """Return a word with the variables that the command has set; unknown variables stay."""
    return re.sub(r"\$(?:\{(\w+)\}|([A-Za-z]\w*))", lambda m: variables.get(m[1] or m[2], m[0]), word)
