"""What a shell command would run, as far as reading it tells: programs with their options and environment."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

WRAPPERS = {"env", "exec", "nohup", "setsid", "sudo", "time"}
"""Programs that run the one named after them."""
COMMAND_OUTPUT = "$_"
"""Stands for what a command inside a command would print."""
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
NESTED = 4


@dataclass(frozen=True)
class ProgramCall:
    """A program that a command runs.

    Attributes:
        words: Its name without a directory, and what is passed to it.
        env: What the command exports to it.
    """

    words: list[str]
    env: dict[str, str]

    @property
    def options(self) -> dict[str, str]:
        """Value of each option: ``--port 5000``, ``--port=5000``, ``-p 5000``; empty for a flag."""
        found = {}
        for word, after in zip(self.words, [*self.words[1:], "-"], strict=True):
            if word.startswith("-") and word != "-":
                name, equals, value = word.partition("=")
                found[name] = value if equals or after.startswith("-") else after
        return found


def parse_programs(command: str, depth: int = 0) -> Iterator[ProgramCall]:
    """Every program of a command in its order, those in quoted commands too."""
    exported: dict[str, str] = {}
    variables: dict[str, str] = {}
    for statement in _statements(command):
        words = [_filled(word, variables) for word in statement]
        prefix: dict[str, str] = {}
        while words and (words[0] in WRAPPERS or ASSIGNMENT.fullmatch(words[0])):
            if found := ASSIGNMENT.fullmatch(words.pop(0)):
                prefix[found[1]] = found[2]
        if not words:
            variables |= prefix
            exported |= {name: value for name, value in prefix.items() if name in exported}
        elif words[0] == "export":
            given = {found[1]: found[2] for word in words[1:] if (found := ASSIGNMENT.fullmatch(word))}
            variables |= given
            exported |= given | {word: variables[word] for word in words[1:] if word in variables}
        else:
            yield ProgramCall([PurePosixPath(words[0]).name, *words[1:]], exported | prefix)
            for word in words[1:]:
                if " " in word and depth < NESTED:
                    yield from (
                        ProgramCall(run.words, exported | prefix | run.env) for run in parse_programs(word, depth + 1)
                    )


def _statements(command: str) -> list[list[str]]:
    text = re.sub(r"\$\([^()]*\)|`[^`]*`", COMMAND_OUTPUT, command.replace("\\\n", " ").replace("\n", ";"))
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|()<>")
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError:
        # A quote that is not closed: what can be read is read.
        words = text.split()
    found: list[list[str]] = [[]]
    for word, before in zip(words, ["", *words[:-1]], strict=True):
        if set(word) <= set(";&|()"):
            found.append([])
        elif not _redirects(word) and not _redirects(before):
            found[-1].append(word)
    return [statement for statement in found if statement]


def _redirects(word: str) -> bool:
    return set(word) <= set("<>&|") and bool(set(word) & set("<>"))


def _filled(word: str, variables: dict[str, str]) -> str:
    return re.sub(r"\$(?:\{(\w+)\}|([A-Za-z]\w*))", lambda m: variables.get(m[1] or m[2], m[0]), word)
