"""How the command line ends after errors, and what it prints of them."""

import subprocess
import sys
import warnings

import pytest

from harness.cli import main
from harness.cli.console import print_error
from harness.errors import HarnessError


def test_error_is_printed_as_place_problem_and_remedy(capsys):
    print_error(HarnessError("the value [bold] is wrong", where="a.yaml:3, recipe.lr", remedy="Use 0.1."))
    assert capsys.readouterr().err == "error a.yaml:3, recipe.lr\n  the value [bold] is wrong\n  → Use 0.1.\n"


def test_error_ends_with_exit_code_2(capsys, monkeypatch):
    def fail():
        raise HarnessError("it is wrong")

    monkeypatch.setattr(main, "app", fail)
    monkeypatch.setattr(main.signal, "signal", lambda *arguments: None)
    with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error\n  it is wrong\n"


def test_warning_is_printed_as_a_note(harness):
    """A warning that Python shows has a path and a line of code; ours has neither."""
    code = "import warnings, harness.cli.main as m\nm.app = lambda: warnings.warn('a [bold] claim')\nm.main()\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "note a [bold] claim\n"


def test_names_that_look_like_markup_are_printed_as_they_are(invoke, experiment_file):
    path = experiment_file(
        variants={"name": "cifar-resnet8", "label": "a[/red]b"}, contrasts=None, question="Is [/bold] no tag?"
    )
    shown = invoke("plan", path, "--tracking-uri", "none").output
    assert "a[/red]b" in shown
    assert "Is [/bold] no tag?" in shown
