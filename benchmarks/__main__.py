"""Run the benchmarks and write the page with their results: ``make bench``.

    python -m benchmarks [PART]...        all parts take two hours on two idle cores

Each part stores its table under benchmarks/tables/. benchmarks/README.md is written from all stored tables, so each
part can be measured alone.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path

import torch
from rich.console import Console

DIRECTORY = Path(__file__).resolve().parent
TABLES = DIRECTORY / "tables"
PARTS = {
    "loops": "(a) The training loop against bare PyTorch loops",
    "images": "(a) The data path against DataLoader and PIL",
    "trials": "(b) Trials through `harness run` against their bare loops",
    "overhead": "(b) Where the time of a run goes",
    "record": "(b) What keeping the record costs",
    "seed_ensemble": "(c) Seed ensembles against the same seeds one after the other",
    "operators": "(c) Where the time of a step goes",
    "startup": "(d) Start-up",
    "growth": "(e) Growth: plan, record and report",
}
INTRODUCTION = """# Benchmarks

`make bench` (`python -m benchmarks`) writes this page. Each table compares competitors on one machine. Each competitor
has a process of its own. The competitors take turns, so that a slow phase of the machine affects all of them alike: in
(a) and in the first table of (c) a turn is a few steps, in (b) it is a whole run. Only one competitor works at a time.

A ratio is the median over the turns of one repeat. The table shows its mean over the repeats, each with fresh
processes, and the 95 % t interval in brackets. The text above each table says which side of 1 means that the harness is
faster. Seconds are given where a user waits for them.

Other measurements have pages of their own: [repeatability of `harness bench`](repeatability.md), [faults](faults.md),
[an outage of the MLflow server](outage.md), [a thousand trials on fifty nodes](fleet.md).
"""


def describe_machine() -> str:
    """Return the processor, torch and Python of this machine in one line."""
    from harness.training.device import cpu_name

    processor = f"{cpu_name()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"
    return f"{processor}; torch {torch.__version__}, Python {platform.python_version()}"


def render_page() -> str:
    """Return the Markdown of benchmarks/README.md, from the stored tables."""
    sections = [INTRODUCTION]
    for name, title in PARTS.items():
        file = TABLES / f"{name}.json"
        if not file.exists():
            sections.append(f"## {title}\n\nNot measured yet: `python -m benchmarks {name}`.\n")
            continue
        table = json.loads(file.read_text())
        head = f"| {' | '.join(table['headings'])} |\n|{' :-- |' * len(table['headings'])}\n"
        rows = "\n".join(f"| {' | '.join(row)} |" for row in table["rows"])
        sections.append(f"## {title}\n\n{table['about']}\n\n{head}{rows}\n\n*{table['at']}: {table['machine']}.*\n")
    return "\n".join(sections)


def main() -> None:
    """Measure the parts that the command line names, or all parts."""
    console = Console(stderr=True)
    names = sys.argv[1:] or list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        raise SystemExit(f"There is no benchmark '{unknown[0]}'. Use one of: {', '.join(PARTS)}.")
    for name in names:
        console.print(f"[bold]{PARTS[name]}[/] ...")
        module = importlib.import_module(f"benchmarks.{name}")
        began = time.monotonic()
        table = {
            "headings": module.HEADINGS,
            "rows": [],
            "about": module.__doc__.split("\n\n", 2)[2].strip(),
            "machine": describe_machine(),
            "at": time.strftime("%Y-%m-%d"),
        }
        for row in module.measure():
            # The table is written after each row, so that a failing row loses no row before it.
            table["rows"].append(row)
            TABLES.mkdir(exist_ok=True)
            (TABLES / f"{name}.json").write_text(json.dumps(table, indent=1) + "\n")
            (DIRECTORY / "README.md").write_text(render_page())
        console.print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
