"""Every comparison of speed, and the page that says what came out: ``make bench``.

    python -m benchmarks [PART]...        all of them: two hours on two idle cores

Each comparison runs side by side in one go: processes that take turns, in alternating order, several repeats. What each
found is kept in its own table under benchmarks/tables/, and benchmarks/README.md is written from all of them, so that
one can be measured anew alone.
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

HERE = Path(__file__).resolve().parent
PARTS = {
    "loops": "(a) The training loop against bare PyTorch loops",
    "images": "(a) The data path against DataLoader and PIL",
    "trials": "(b) Trials through `harness run` against their bare loops",
    "overhead": "(b) Where the time of a run goes",
    "record": "(b) What keeping the record costs",
    "joint": "(c) Seeds trained together against one after the other",
    "operators": "(c) Where the time of a step goes",
    "startup": "(d) Start-up",
    "growth": "(e) Growth: plan, record and report",
}
INTRODUCTION = """# Benchmarks

Written by `make bench` (`python -m benchmarks`). Each comparison runs side by side in one go: every competitor has a
process of its own; in (a) and (c) they take turns of a few steps, in (b) of whole runs, never two at work, so that what
the machine does to one it does to all. A ratio is the median over the turns of a repeat; with it stands the mean over
repeats (each with fresh processes) and its 95 % t interval. Which side of 1 is ours says each table. These are ratios
on one machine; seconds are given where a user waits for them.

Others that have a page of their own: [repeatability](repeatability.md) of `harness bench`, [faults](faults.md), [an
outage](outage.md), [a thousand trials over fifty nodes](fleet.md).
"""


def machine() -> str:
    """What was measured on."""
    from harness.training.device import cpu_name

    processor = f"{cpu_name()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"
    return f"{processor}; torch {torch.__version__}, Python {platform.python_version()}"


def page() -> str:
    """The page, from the tables that are there."""
    sections = [INTRODUCTION]
    for name, title in PARTS.items():
        file = HERE / "tables" / f"{name}.json"
        if not file.exists():
            sections.append(f"## {title}\n\nNot measured yet: `python -m benchmarks {name}`.\n")
            continue
        found = json.loads(file.read_text())
        head = f"| {' | '.join(found['headings'])} |\n|{' :-- |' * len(found['headings'])}\n"
        rows = "\n".join(f"| {' | '.join(row)} |" for row in found["rows"])
        sections.append(f"## {title}\n\n{found['about']}\n\n{head}{rows}\n\n*{found['at']}: {found['machine']}.*\n")
    return "\n".join(sections)


def main() -> None:
    console = Console(stderr=True)
    names = sys.argv[1:] or list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        raise SystemExit(f"There is no benchmark {unknown[0]}: use {', '.join(PARTS)}.")
    for name in names:
        console.print(f"[bold]{PARTS[name]}[/] ...")
        module = importlib.import_module(f"benchmarks.{name}")
        began = time.monotonic()
        found = {
            "headings": module.HEADINGS,
            "rows": [],
            "about": module.__doc__.split("\n\n", 2)[2].strip(),
            "machine": machine(),
            "at": time.strftime("%Y-%m-%d"),
        }
        for row in module.measure():
            # A row that fails costs none of those before it.
            found["rows"].append(row)
            (HERE / "tables").mkdir(exist_ok=True)
            (HERE / "tables" / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
            (HERE / "README.md").write_text(page())
        console.print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
