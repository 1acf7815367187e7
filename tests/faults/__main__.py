"""Inject every fault many times and write benchmarks/faults.md: ``make faults``. It goes on where it was stopped.

python -m faults --times 20 --work .faults             everything
python -m faults --only "SQLite locked, 45 s"          one fault; --only "crash points" for those
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

from faults.injections import CRASH_POINTS, FAULTS, FEWEST_SWEEPS, PER_SWEEP, crash_points
from faults.stored_record import MAY_DIFFER
from faults.sweep import REPOSITORY, Damage, reference_record

AT_ONCE = 5
"""Crash points tried in one sweep."""
ROUNDS = 3
"""Times that every crash point is reached."""
TABLE = REPOSITORY / "benchmarks" / "faults.md"


class SweepLog:
    """The finished sweeps, one JSON line each; a sweep that is in it is not run again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[dict]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def add(self, fault: str, seed: str, damage: Damage, seconds: float, **more: object) -> None:
        entry = {"fault": fault, "seed": seed, "revision": revision(), "seconds": round(seconds, 1)}
        entry |= {**asdict(damage), **more}
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        clean = "clean" if damage.clean else f"NOT CLEAN: {damage.details}"
        print(f"{seed}: {damage.injected} injected, {damage.runs} runs, {seconds:.0f} s, {clean}", flush=True)


def revision() -> str:
    """Return the git revision under test."""
    command = ["git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _timed(action: Callable[[], Damage]) -> tuple[Damage, float]:
    started = time.monotonic()
    return action(), time.monotonic() - started


def inject(name: str, times: int, work: Path, log: SweepLog) -> None:
    """Run sweeps with this fault until it was injected ``times`` times."""
    fault = FAULTS[name]
    for number in range(10 * times):
        seed = f"{fault.__name__}-{number}"
        done = [entry for entry in log.entries() if entry["fault"] == name]
        fewest = min(FEWEST_SWEEPS.get(fault, 1), times)
        if sum(entry["injected"] for entry in done) >= times and len(done) >= fewest:
            return
        if seed not in {entry["seed"] for entry in done}:
            damage, seconds = _timed(lambda seed=seed: fault(work, seed, PER_SWEEP.get(fault, 2)))
            log.add(name, seed, damage, seconds)


def crash_everywhere(work: Path, log: SweepLog, rounds: int) -> None:
    """Reach every crash point ``rounds`` times, several in a sweep; a point that was missed is tried again."""
    for number in range(20 * rounds):
        done = [entry for entry in log.entries() if entry["fault"] == "crash points"]
        counts = {point: sum(point in entry["reached"] for entry in done) for point in CRASH_POINTS}
        left = [point for point in CRASH_POINTS if counts[point] < rounds]
        if not left:
            return
        seed = f"crash-{number}"
        if seed in {entry["seed"] for entry in done}:
            continue
        chosen = random.Random(seed).sample(left, min(AT_ONCE, len(left)))
        started = time.monotonic()
        damage, reached = crash_points(work, seed, chosen)
        log.add("crash points", seed, damage, time.monotonic() - started, reached=reached)


def table(entries: list[dict], times: int) -> str:
    """Return the Markdown of benchmarks/faults.md."""
    columns = ["trials_lost", "steps_lost", "steps_doubled", "results_differ"]
    heads = ["fault", "times injected", "sweeps", *(column.replace("_", " ") for column in columns)]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for name in [*FAULTS, "crash points"]:
        mine = [entry for entry in entries if entry["fault"] == name]
        if not mine:
            continue
        label = f"kill -9 at {len(CRASH_POINTS)} crash points" if name == "crash points" else name
        numbers = [sum(entry[column] for entry in mine) for column in ("injected",)]
        numbers += [len(mine), *(sum(entry[column] for entry in mine) for column in columns)]
        lines.append(f"| {label} | {' | '.join(map(str, numbers))} |")
    reached = {point for entry in entries for point in entry.get("reached", ())}
    absent = [point for point in CRASH_POINTS if point not in reached]
    unclean = [entry for entry in entries if any(entry[column] for column in columns)]
    bad = "; ".join(f"`{entry['seed']}` at `{entry['revision']}`: {entry['details'][0]}" for entry in unclean)
    seeds = ", ".join(f"`{entry['seed']}`" for entry in entries if entry["injected"])
    revisions = ", ".join(dict.fromkeys(f"`{entry['revision']}`" for entry in entries))
    return f"""# Faults

Real sweeps of short trials, on Ray and MLflow, into which faults are injected at random moments; each is run again
until the harness says that all is done, and what MLflow then holds is compared, row by row, with the same sweep
without faults. Written by `make faults` (`tests/faults`), whose sweeps ran at {revisions} on
{platform.system()}, Python {platform.python_version()}.

{chr(10).join(lines)}

- **trials lost**: runs of trials, variants or the report that do not stand exactly once and finished in MLflow.
  **steps lost, doubled**: metrics at a step, step 0 and costs included, that are missing there or stand there twice.
  **results differ**: runs of which a metric, a parameter, a tag, the data set or the list of artifacts is not that of
  the reference, to the last bit, or whose start and end are not those of the training.
- May differ: {"; ".join(f"{what} `{pattern}`" for what, pattern in MAY_DIFFER.items())}.
- A sweep is {{8 trials}}: four variants, two seeds, with warm-up, cosine schedule, augmentation and Nesterov momentum,
  and a checkpoint every 0.2 s. At least {times} injections of each fault, several into one sweep.
- Crash points: before and after {", ".join(dict.fromkeys(p.split(" ", 1)[1] for p in CRASH_POINTS))}.
{f"- Not reached: {', '.join(absent)}." if absent else "- Every crash point was reached."}
{f"- Not clean: {bad}." if bad else "- Every sweep was clean."}
- Seeds: {seeds}.
""".replace("{8 trials}", "8 trials")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m faults", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--times", type=int, default=20, help="injections of each fault (default 20)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"times for each crash point (default {ROUNDS})")
    parser.add_argument("--work", type=Path, default=Path(".faults"), help="where the sweeps run (default .faults)")
    parser.add_argument("--only", action="append", help="a fault by its name, or 'crash points'; may be repeated")
    parser.add_argument("--table", action="store_true", help="only write the table of what was done")
    arguments = parser.parse_args()
    work = arguments.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    log = SweepLog(work / "sweeps.jsonl")
    unknown = set(arguments.only or ()) - {*FAULTS, "crash points"}
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}. Known: {', '.join([*FAULTS, 'crash points'])}")
    if not arguments.table:
        reference_record(work)
        for name in arguments.only or ["crash points", *FAULTS]:
            try:
                if name == "crash points":
                    crash_everywhere(work, log, arguments.rounds)
                else:
                    inject(name, arguments.times, work, log)
            except PermissionError as error:
                print(f"{name}: skipped, {error}", flush=True)
    entries = log.entries()
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table(entries, arguments.times))
    print(TABLE.read_text())
    keys = [field.name for field in fields(Damage) if field.name.startswith(("trials", "steps", "results"))]
    return int(any(entry[key] for entry in entries for key in keys))


if __name__ == "__main__":
    sys.exit(main())
