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

PLACES: dict[str, tuple[float, int]] = {
    "cli": (1, 0),
    "api": (1, 1),
    "clusters": (0, 2),
    "trials": (1, 2),
    "reporting": (2, 2),
    "experiments": (1, 3),
    "launchers": (1, 4),
    "execution": (1, 5),
    "costs": (0.5, 6),
    "tracking": (2, 6),
    "training": (0.5, 7),
    "models": (0, 8),
    "data": (1, 8),
    "specs": (1.5, 9),
    "io": (1.5, 10),
}
"""Column and row of each package. An arrow always points down: no package imports one above it."""
BASE = ("errors", "text", "processes", "settings", "version")
"""Modules that every package may import; arrows to them are left out."""
IDEAS = {
    "cli": "parse, call api, print",
    "api": "what the commands do, as functions",
    "clusters": "Ray clusters, seen from a laptop",
    "trials": "list, rerun, clean up single trials",
    "reporting": "results to verdicts, figures, pages",
    "experiments": "plan, run and settle one experiment",
    "launchers": "many trial groups: inline, Ray Tune",
    "execution": "one trial group, from claim to end",
    "costs": "parameters, MACs, latency, memory",
    "tracking": "the record: histories, MLflow, tables",
    "training": "one trial: steps, epochs, evaluation",
    "models": "layer plan to torch modules",
    "data": "data set to batches on the device",
    "specs": "what is asked: frozen and hashed",
    "io": "whole files, storage, YAML",
}
WIDTH, HEIGHT, COLUMN, ROW, MARGIN = 256, 46, 300, 84, 24
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f; text-anchor: middle }
  .name { font-weight: 600; font-size: 14px }
  rect { fill: #eef4fb; stroke: #5b7ea6; rx: 6 }
  .page { fill: #ffffff; stroke: none; rx: 0 }
  .base { fill: #f4f4f1; stroke: #9a9a90 }
  path { fill: none; stroke: #7f93a8; stroke-width: 1.2; marker-end: url(#head) }
  #head path { fill: #7f93a8; stroke: none; marker-end: none }
"""


ARROW_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z"/></marker></defs>'
)


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
    imports: dict[str, set[str]] = {name: set() for name in PLACES}
    for path in sorted(root.rglob("*.py")):
        package = path.relative_to(root).parts[0].removesuffix(".py")
        if package in imports:
            parts = [module.split(".") for module in imported_modules(path)]
            found = {part[1] for part in parts if part[0] == "harness" and len(part) > 1}
            imports[package] |= found & set(PLACES) - {package}
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
    """Return the picture as SVG text; the same imports give the same text.

    Raises:
        ValueError: A package imports one that stands above it.
    """
    corner = {name: (MARGIN + column * COLUMN, MARGIN + row * ROW) for name, (column, row) in PLACES.items()}
    lines = []
    for name, targets in direct_imports(package_imports()).items():
        for target in sorted(targets):
            if PLACES[target][1] <= PLACES[name][1]:
                raise ValueError(f"{name} imports {target}, which does not stand below it")
            x, start = corner[name][0] + WIDTH / 2, corner[name][1] + HEIGHT
            to_x, end = corner[target][0] + WIDTH / 2, corner[target][1] - 4
            bend = (end - start) / 2
            curve = f"{x:g} {start + bend:g} {to_x:g} {end - bend:g} {to_x:g} {end:g}"
            if PLACES[target][1] - PLACES[name][1] > 1 and x != to_x:
                # Past other rows the arrow goes down in its own column, and then into the side of the box.
                side = -1 if x < to_x else 1
                to_x, end = to_x + side * (WIDTH / 2 + 4), corner[target][1] + HEIGHT / 2
                curve = f"{x:g} {end - ROW / 2:g} {x:g} {end:g} {to_x:g} {end:g}"
            lines.append(f'  <path d="M{x:g} {start:g} C{curve}"/>')
    for name, (x, y) in corner.items():
        lines.append(f'  <rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}"/>')
        lines.append(f'  <text class="name" x="{x + WIDTH / 2:g}" y="{y + 19:g}">{escape(name)}</text>')
        lines.append(f'  <text x="{x + WIDTH / 2:g}" y="{y + 37:g}">{escape(IDEAS[name])}</text>')
    total = 2 * MARGIN + 2 * COLUMN + WIDTH
    foot = MARGIN + (max(row for _, row in PLACES.values()) + 1) * ROW
    lines.append(f'  <rect class="base" x="{MARGIN}" y="{foot}" width="{total - 2 * MARGIN}" height="{HEIGHT}"/>')
    lines.append(f'  <text class="name" x="{total / 2:g}" y="{foot + 19}">{" · ".join(BASE)}</text>')
    lines.append(f'  <text x="{total / 2:g}" y="{foot + 37}">modules that every package may import</text>')
    height = foot + HEIGHT + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {height}" width="{total}" '
            f'height="{height}" role="img">',
            "<title>The packages of harness: an arrow points to what a package imports</title>",
            f"<style>{STYLE}</style>",
            ARROW_HEAD,
            f'  <rect class="page" width="{total}" height="{height}"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(draw())
    print(PICTURE.relative_to(REPOSITORY))
