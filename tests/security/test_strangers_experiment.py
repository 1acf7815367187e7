"""A stranger's experiment file: with --no-code none of its code is imported; without it, no other file's code is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cli_commands import COMMANDS
from security.hostile import SMALL
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import HarnessError

SPY = "from pathlib import Path\nPath(__file__).with_suffix('.imported').touch()\n"
PYTHON = {"kind": "python", "factory": "evil:make"}
IMPORTING = ("run", "plan", "rerun", "variants", "inspect", "compare", "bench", "evaluate")
"""The commands that import code that an experiment or a variant names."""


@pytest.fixture
def stranger(quiet_place):
    """A working directory with a stranger's files, each of which leaves a mark when it is imported."""
    names = (
        "evil",
        "sitecustomize",
        "usercustomize",
        "conftest",
        "torch",
        "numpy",
        "pandas",
        "yaml",
        "harness",
        "queue",
    )
    for name in names:
        (quiet_place / f"{name}.py").write_text(SPY)
    (quiet_place / "variants").mkdir()
    family = {
        "family": "innocent",
        "kind": "python",
        "input_size": 8,
        "members": {"innocent8": {"factory": "evil:make"}},
    }
    (quiet_place / "variants" / "innocent.yaml").write_text(yaml.safe_dump(family))
    return quiet_place


def marks(directory):
    return sorted(path.name for path in directory.rglob("*.imported"))


def invoke(*words, env=None):
    return CliRunner().invoke(app, list(words), env=env)


def write(directory, variants):
    content = {"name": "theirs", "question": "Q", "data": {"name": "digits", "train_images": 256}, "seeds": [0]}
    content |= {"recipe": SMALL["recipe"], "variants": variants}
    (directory / "theirs.yaml").write_text(yaml.safe_dump(content))


NAMES_CODE = {
    "kind python": ([PYTHON], "variants.0.factory"),
    "no list": (PYTHON, "variants.factory"),
    "after another": ([{"kind": "timm", "name": "resnet26d"}, PYTHON], "variants.1.factory"),
    "family of variants/": ([{"name": "innocent8"}], "variants.0.name"),
    "set of a family's member": ([{"name": "innocent8", "set": {"args": {"x": 1}}, "label": "a"}], "variants.0.name"),
    "kind in set": (
        [{"name": "torchvision/resnet18", "set": {"kind": "python", "factory": "evil:make"}}], "variants.0.set",
    ),
    "name of a module of Python": ([{"kind": "python", "factory": "os:system"}], "variants.0.factory"),
    "name of this package": ([{"kind": "python", "factory": "harness:run"}], "variants.0.factory"),
    "missing module": ([{"kind": "python", "factory": "absent.module:make"}], "variants.0.factory"),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMES_CODE)
@pytest.mark.parametrize(
    "command", [["plan"], ["run", "--launcher", "inline"], ["run", "--address", "http://127.0.0.1:1"]]
)
def test_no_code_refuses_an_experiment_that_names_code_before_it_is_imported(stranger, case, command):
    variants, field = NAMES_CODE[case]
    write(stranger, variants)
    done = invoke(command[0], "theirs.yaml", *command[1:], "--no-code")
    assert isinstance(done.exception, HarnessError) and "names Python code" in done.exception.what
    assert "theirs.yaml:" in done.exception.where and field in done.exception.where
    assert "--no-code" in done.exception.remedy
    if case.startswith(("family", "set of")):
        assert "innocent.yaml" in done.exception.where
    assert marks(stranger) == [] and not (stranger / ".depthbench").exists()


@pytest.mark.parametrize(
    "assignment", ['variants=[{"kind": "python", "factory": "evil:make"}]', "variants={name: innocent8}"]
)
def test_no_code_refuses_code_that_an_option_names(stranger, assignment):
    write(stranger, [{"name": "cifar-resnet8"}])
    done = invoke("plan", "theirs.yaml", "--no-code", "--set", assignment)
    assert isinstance(done.exception, HarnessError) and "--set" in done.exception.where
    assert marks(stranger) == []


def test_no_code_may_be_set_in_the_environment(stranger):
    write(stranger, [PYTHON])
    done = invoke("plan", "theirs.yaml", env={"DEPTHBENCH_NO_CODE": "1"})
    assert isinstance(done.exception, HarnessError) and "DEPTHBENCH_NO_CODE" in done.exception.remedy


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "innocent8"],
        ["inspect", "torchvision/resnet18", "--set", "kind=python", "--set", "factory=evil:make"],
        ["compare", "resnet18", "innocent8"],
        ["bench", "innocent8"],
        ["bench", "--experiment", "theirs.yaml"],
        ["evaluate", "innocent8", "--weights", "w.pth", "--data-root", "."],
    ],
)
def test_no_code_refuses_a_variant_that_names_code(stranger, words):
    write(stranger, [PYTHON])
    done = invoke(*words, "--no-code")
    assert isinstance(done.exception, HarnessError) and "names Python code" in done.exception.what
    assert marks(stranger) == []


def test_no_code_leaves_networks_of_code_uncounted_in_the_list(stranger):
    done = invoke("variants", "innocent", "--count", "--no-code")
    assert done.exit_code == 0 and "innocent8" in done.output and marks(stranger) == []
    assert invoke("variants", "innocent").exit_code == 0 and marks(stranger) == []


@pytest.mark.parametrize(
    "name",
    ["__import__('evil').make()", "evil:make", "evil.make", "hf-hub:evil/evil", "local-dir:.", "../evil", "$(evil)"],
)
@pytest.mark.parametrize("kind", ["timm", "torchvision"])
def test_name_of_a_library_network_is_only_text(stranger, kind, name):
    write(stranger, [{"kind": kind, "name": name}])
    done = invoke("plan", "theirs.yaml", "--no-code")
    assert isinstance(done.exception, HarnessError)
    assert re.search("has no (model|classifier)", done.exception.what), done.exception.what
    assert marks(stranger) == []


def test_plan_of_a_stranger_imports_the_named_module_and_no_other_file(stranger):
    write(stranger, [PYTHON])
    done = invoke("plan", "theirs.yaml")
    assert isinstance(done.exception, HarnessError) and "no function 'make'" in done.exception.what
    assert marks(stranger) == ["evil.imported"]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_says_which_commands_import_code_and_each_of_them_takes_the_option(name):
    options = {flag for parameter in COMMANDS[name].params for flag in parameter.opts}
    assert ("--no-code" in options) == (name in IMPORTING)
    assert ("imported" in COMMANDS[name].help) == (name in IMPORTING)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["inline", "ray"])
def test_run_imports_no_file_of_the_working_directory_that_the_experiment_does_not_name(stranger, launcher):
    write(stranger, [{"family": "cifar-resnet", "depth": [8], "set": {"widths": [4, 4, 8]}}])
    command = [Path(sys.executable).with_name("harness"), "run", "theirs.yaml", "--launcher", launcher]
    done = subprocess.run(command, cwd=stranger, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert marks(stranger) == []
