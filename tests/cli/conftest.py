"""Fixtures of the command line in this process."""

import pytest
from typer.testing import CliRunner

from harness.cli.main import app


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Return a function that runs the command line in this process, in the empty directory ``work``.

    Errors are raised, not printed.
    """
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def call(*arguments, env=None):
        return CliRunner().invoke(app, [str(word) for word in arguments], env=env, catch_exceptions=False)

    return call
