"""The walls between the rooms: who may import what, directly, lazily and transitively."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import harness

ROOT = Path(harness.__file__).parent
SHARED = {"errors", "files", "processes", "storage", "text"}
MAY_IMPORT = {
    "specs": set(),
    "models": {"specs"},
    "data": {"specs"},
    "training": {"specs", "models", "data"},
    "costs": {"specs", "models", "training"},
    "tracking": {"specs"},
    "launching": {"specs", "models", "data", "training", "costs", "tracking"},
    "reporting": {"specs", "tracking"},
    "clusters": {"specs", "launching"},
    "verbs": {"specs", "data", "models", "training", "costs", "launching", "tracking", "reporting", "clusters"},
    "cli": {
        "specs",
        "costs",
        "launching",
        "tracking",
        "reporting",
        "clusters",
        "verbs",
        "doctor",
        "the package itself",
    },
}
NEVER = {
    "specs": {"torch", "ray", "mlflow"},
    "models": {"ray", "mlflow"},
    "data": {"ray", "mlflow"},
    "training": {"ray", "mlflow"},
    "costs": {"ray", "mlflow"},
    "tracking": {"ray", "torch"},
    "launching": {"mlflow"},
    "reporting": {"torch", "ray", "mlflow"},
    "clusters": {"torch", "mlflow"},
    "verbs": {"torch", "ray", "mlflow"},
    "cli": {"torch", "ray", "mlflow"},
}


def _imports(path: Path):
    """Every imported module of a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the room"
            yield node.module


def test_every_room_has_its_rule():
    rooms = {package.name for package in pkgutil.iter_modules([str(ROOT)]) if package.ispkg}
    assert rooms == set(MAY_IMPORT) == set(NEVER)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_no_file_imports_through_a_wall(room):
    allowed = MAY_IMPORT[room] | SHARED | {room}
    for path in (ROOT / room).rglob("*.py"):
        for module in _imports(path):
            top, *rest = module.split(".")
            assert top not in NEVER[room], f"{path.relative_to(ROOT)} imports {module}"
            if top == "harness":
                inside = rest[0] if rest else "the package itself"
                assert inside in allowed, f"{path.relative_to(ROOT)} imports {module}"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_walls_hold_transitively(room):
    """A fresh interpreter imports the whole room; what it must never import is not there."""
    modules = [f"harness.{room}"]
    modules += [f"harness.{room}.{m.name}" for m in pkgutil.iter_modules([str(ROOT / room)])]
    heavy = {"ray", "mlflow", "matplotlib"} - ({"matplotlib"} if room == "reporting" else set())
    forbidden = sorted(NEVER[room] | heavy)
    code = f"import sys, {', '.join(modules)}; print([m for m in {forbidden} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_help_needs_nothing_heavy():
    heavy = ["torch", "ray", "mlflow", "pandas", "numpy", "matplotlib", "sklearn", "scipy"]
    code = f"import sys, harness.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
