"""Draw docs/images/architecture.svg: the packages of ``harness`` and what each imports, from the code itself.

Run ``python docs/draw_architecture.py`` after a change of imports. ``tests/test_architecture.py`` fails while the
picture differs from the code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from html import escape
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PICTURE = REPOSITORY / "docs" / "images" / "architecture.svg"

ROWS = (
    ("cli",),
    ("api",),
    ("clusters", "trials", "reporting"),
    ("experiments",),
    ("launchers",),
    ("execution",),
    ("costs", "tracking"),
    ("training",),
    ("models", "data"),
    ("specs",),
    ("io", "settings"),
    ("errors", "text", "processes", "version"),
)
"""Packages and modules from the top down; each imports only from rows below its own."""
IDEAS = {
    "cli": "parse, call api, print",
    "api": "what the commands do, as functions",
    "clusters": "Ray clusters, seen from a laptop",
    "trials": "list, rerun, clean up single trials",
    "reporting": "results to verdicts, figures, pages",
    "experiments": "plan, run and settle one experiment",
    "launchers": "many trial groups at once: inline, Ray",
    "execution": "one trial group: claim, checkpoints, end",
    "costs": "parameters, MACs, latency, memory",
    "tracking": "the record: histories, MLflow, tables",
    "training": "one trial: steps, epochs, evaluation",
    "models": "layer plan to torch modules",
    "data": "data set to batches on the device",
    "specs": "what is asked: frozen and hashed",
    "io": "whole files, storage, YAML",
    "settings": "options, declared once",
    "errors": "errors, exit codes",
    "text": "safe text",
    "processes": "processes",
    "version": "version",
}
WIDTH, HEIGHT, GAP, ROW = 250, 46, 40, 92
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f; text-anchor: middle }
  .name { font-weight: 600; font-size: 14px }
  rect { fill: #eef4fb; stroke: #5b7ea6; rx: 6 }
  .base { fill: #f4f4f1; stroke: #9a9a90 }
  path { fill: none; stroke: #7f93a8; stroke-width: 1.2; marker-end: url(#head) }
  #head path { fill: #7f93a8; stroke: none; marker-end: none }
"""


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the dotted name of every module and name that a file imports, lazy and type-only imports included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_imports() -> dict[str, set[str]]:
    """Return, for each package of ``harness``, the other packages that its files import."""
    root = REPOSITORY / "harness"
    names = {path.stem for path in root.iterdir() if path.is_dir() or path.suffix == ".py"}
    imports: dict[str, set[str]] = {name: set() for row in ROWS for name in row}
    for path in sorted(root.rglob("*.py")):
        package = path.relative_to(root).parts[0].removesuffix(".py")
        if package in imports:
            parts = [module.split(".") for module in imported_modules(path)]
            found = {part[1] for part in parts if part[0] == "harness" and len(part) > 1}
            imports[package] |= found & names - {package}
    return imports


def direct_imports(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out each import that another imported package implies: the picture stays readable."""

    def reachable(name: str) -> set[str]:
        return imports[name].union(*(reachable(other) for other in imports[name]))

    return {
        name: {other for other in targets if not any(other in reachable(third) for third in targets - {other})}
        for name, targets in imports.items()
    }


def draw() -> str:
    """Return the picture as SVG text; the same imports give the same text."""
    across = max(len(row) for row in ROWS)
    total = across * WIDTH + (across + 1) * GAP
    place: dict[str, tuple[float, float]] = {}
    for number, row in enumerate(ROWS):
        left = (total - len(row) * WIDTH - (len(row) - 1) * GAP) / 2
        for column, name in enumerate(row):
            place[name] = (left + column * (WIDTH + GAP) + WIDTH / 2, 20 + number * ROW)
    lines = []
    for name, targets in direct_imports(package_imports()).items():
        for target in sorted(targets):
            (x, y), (to_x, to_y) = place[name], place[target]
            start, end, bend = y + HEIGHT, to_y - 5, (to_y - y - HEIGHT) / 2
            # An arrow past several rows leaves the middle, where other boxes are.
            side = 0.0 if to_y - y <= ROW else (-1 if (x + to_x) / 2 < total / 2 else 1) * (WIDTH / 2 + GAP)
            lines.append(
                f'  <path d="M{x:g} {start:g} C{x + side:g} {start + bend:g} {to_x + side:g} {end - bend:g} '
                f'{to_x:g} {end:g}"/>'
            )
    for name, (x, y) in place.items():
        kind = ' class="base"' if name in ROWS[-1] else ""
        lines.append(f'  <rect{kind} x="{x - WIDTH / 2:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}"/>')
        lines.append(f'  <text class="name" x="{x:g}" y="{y + 19:g}">{escape(name)}</text>')
        lines.append(f'  <text x="{x:g}" y="{y + 37:g}">{escape(IDEAS[name])}</text>')
    height = 20 + len(ROWS) * ROW - (ROW - HEIGHT) + 20
    head = (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>'
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:g} {height:g}" width="{total:g}" '
            f'height="{height:g}" role="img">',
            "<title>The packages of harness: an arrow points to what a package imports</title>",
            f"<style>{STYLE}</style>",
            head,
            f'  <rect x="0" y="0" width="{total:g}" height="{height:g}" style="fill: #ffffff; stroke: none"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(draw())
    print(PICTURE.relative_to(REPOSITORY))
