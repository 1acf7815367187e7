"""The commands: each parses its options, calls a verb, and prints what came of it."""

from harness.cli.main import app, main

__all__ = ["app", "main"]
