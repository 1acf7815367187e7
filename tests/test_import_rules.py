"""The import rules: what each package may import, directly, lazily, for types only, and transitively."""

import ast
import pkgutil
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import harness

ROOT = Path(harness.__file__).parent
BASE = {"errors", "text", "processes", "version", "settings"}
"""Modules that every package may import; ``settings`` is a folder of them."""
MAY_IMPORT = {
    "io": set(),
    "specs": {"io"},
    "models": {"io", "specs"},
    "data": {"io", "specs"},
    "training": {"io", "specs", "models", "data"},
    "costs": {"io", "specs", "models", "training"},
    "tracking": {"io", "specs"},
    "execution": {"io", "specs", "models", "data", "training", "costs", "tracking"},
    "launchers": {"io", "specs", "data", "training", "costs", "tracking", "execution"},
    "experiments": {"io", "specs", "data", "costs", "tracking", "execution", "launchers"},
    "trials": {"io", "specs", "tracking", "execution", "launchers", "experiments"},
    "reporting": {"io", "specs", "tracking"},
    "clusters": {"io", "specs", "launchers"},
    "api": {
        *("io", "specs", "models", "data", "training", "costs", "tracking", "execution", "launchers", "experiments"),
        *("trials", "reporting", "clusters"),
    },
    "cli": {"io", "specs", "costs", "tracking", "experiments", "trials", "reporting", "clusters", "api"},
}
"""The packages from the ground up, and which of the packages before it each may import."""
NEVER = {
    "io": {"torch", "ray", "mlflow"},
    "specs": {"torch", "ray", "mlflow"},
    "models": {"ray", "mlflow"},
    "data": {"ray", "mlflow"},
    "training": {"ray", "mlflow"},
    "costs": {"ray", "mlflow"},
    "tracking": {"ray", "torch"},
    "execution": {"ray", "mlflow"},
    "launchers": {"mlflow"},
    "experiments": {"torch", "ray", "mlflow"},
    "trials": {"torch", "ray", "mlflow"},
    "reporting": {"torch", "ray", "mlflow"},
    "clusters": {"torch", "mlflow"},
    "api": {"torch", "ray", "mlflow"},
    "cli": {"torch", "ray", "mlflow"},
}
"""Libraries that no file of a package imports, not even inside a function."""
MOST_FILES, MOST_LINES = 14, 60
"""Python files in one folder, and lines of one function."""
LONG_FUNCTIONS: dict[str, str] = {}
"""Longer functions that are meant, each with its reason."""

IMPORT_RAY = {"harness.launchers.ray.asha", "harness.launchers.ray.progress_callback"}
"""Modules with subclasses of Ray's classes. They load Ray, and are imported only once a launcher has started it."""

MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def imported_names(path: Path) -> list[str]:
    """Return every module, and every name of a module, that a file imports: inside functions and for types too."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, which hides the package"
            names += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def test_import_rules_name_every_package():
    packages = {package.name for package in pkgutil.iter_modules([str(ROOT)]) if package.ispkg}
    assert packages - BASE == set(MAY_IMPORT) == set(NEVER)


def test_import_rules_allow_no_import_from_a_higher_package():
    order = list(MAY_IMPORT)
    for number, package in enumerate(order):
        assert MAY_IMPORT[package] <= set(order[:number]), package


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_package_imports_only_what_its_rule_allows(package):
    allowed = MAY_IMPORT[package] | BASE | {package}
    for path in (ROOT / package).rglob("*.py"):
        for name in imported_names(path):
            top, *rest = name.split(".")
            assert top not in NEVER[package], f"{path.relative_to(ROOT)} imports {name}"
            if top == "harness" and rest:
                assert rest[0] in allowed, f"{path.relative_to(ROOT)} imports {name}"


def _files_of(module: str) -> list[Path]:
    return [path for name, path in MODULES.items() if name.split(".")[1:2] == [module]]


@pytest.mark.parametrize("module", sorted(BASE))
def test_base_module_imports_no_package(module):
    names = [name for path in _files_of(module) for name in imported_names(path)]
    assert not {name for name in names if name.split(".")[0] in ("torch", "ray", "mlflow")}
    assert {name.split(".")[1] for name in names if name.startswith("harness.")} <= BASE


def test_modules_import_each_other_in_no_circle():
    graph = {
        name: {other for other in imported_names(path) if other in MODULES and other != name}
        for name, path in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import circle (lazy and type-only imports counted): {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_package_imports_nothing_heavy_transitively(package):
    """Import the whole package in a fresh interpreter, and check which libraries that has loaded."""
    names = [name for name in MODULES if name.startswith(f"harness.{package}") and not name.endswith("__main__")]
    modules = [name for name in names if name not in IMPORT_RAY]
    heavy = {"ray", "mlflow", "matplotlib"} - ({"matplotlib"} if package == "reporting" else set())
    forbidden = sorted(NEVER[package] | heavy)
    code = f"import sys, {', '.join(modules)}; print([m for m in {forbidden} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_command_line_starts_without_heavy_libraries():
    heavy = ["torch", "ray", "mlflow", "pandas", "numpy", "matplotlib", "sklearn", "scipy"]
    code = f"import sys, harness.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES.values()}), ids=lambda path: path.name)
def test_folder_holds_few_files(folder):
    assert len(list(folder.glob("*.py"))) <= MOST_FILES


def test_functions_are_short():
    long = {}
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > MOST_LINES:
                long[f"{name}.{node.name}"] = node.end_lineno - node.lineno + 1
    assert set(long) == set(LONG_FUNCTIONS), long
