"""The faults, each injected several times into one sweep. Every function returns the damage it found."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from faults.sweep import REPOSITORY, Damage, Sweep, reference_record

LASTING = 60
"""Epochs of trials whose sweep is to outlast a fault of 30 to 45 seconds."""
DISTURBED = 0.15
"""Share of the requests that the proxy disturbs."""
AWAY_SECONDS, LOCKED_SECONDS = 30, 45

CRASH_POINTS = tuple(
    f"{moment} {what}"
    for what in (
        "attempt claim",
        "checkpoint write",
        "checkpoint fsync",
        "checkpoint rename",
        "checkpoint removal",
        "introduction",
        "publish",
        "artifact",
        "termination",
        "experiment creation",
        "lease",
        "preparation",
        "run creation",
        "means",
        "end note",
        "report upload",
    )
    for moment in ("before", "after")
)
OFTEN = dict.fromkeys(
    ("attempt claim", "run creation", "experiment creation", "preparation", "end note", "report upload", "lease"), 1
)
"""Points that a process passes once or seldom: die at the first passing."""


def _end(sweep: Sweep, work: Path) -> Damage:
    sweep.finish()
    return sweep.examine(reference_record(work, sweep.epochs))


def worker_killed(work: Path, seed: str, times: int) -> Damage:
    """kill -9 of a random worker at random moments."""
    sweep = Sweep(work / seed, seed)
    sweep.start()
    for _ in range(times):
        if not sweep.wait_for_training():
            break
        sweep.pause(0.1, 2.0)
        workers = sweep.workers()
        if workers:
            os.kill(sweep.random.choice(workers), signal.SIGKILL)
            sweep.damage.injected += 1
    return _end(sweep, work)


def driver_killed(work: Path, seed: str, times: int) -> Damage:
    """kill -9 of the driver at random moments, from before its first trial on; then the same command."""
    sweep = Sweep(work / seed, seed)
    for number in range(times):
        sweep.start()
        if number == 0:
            sweep.pause(1, 8)
        elif sweep.wait_for_training():
            sweep.pause(0, 3)
        if sweep.running:
            sweep.kill()
    return _end(sweep, work)


def server_killed(work: Path, seed: str, times: int) -> Damage:
    """kill -9 of the MLflow server, and its restart after 30 seconds."""
    sweep = Sweep(work / seed, seed, LASTING, server=True)
    assert sweep.server is not None
    sweep.start()
    for _ in range(times):
        if not sweep.wait_for_training():
            break
        sweep.pause(0, 8)
        sweep.server.stop()
        sweep.damage.injected += 1
        time.sleep(AWAY_SECONDS)
        sweep.server.start()
    return _end(sweep, work)


def behind_proxy(work: Path, seed: str, times: int) -> Damage:
    """A proxy that disturbs requests from the start of a run on; Ctrl-C, so that the next run starts behind it too."""
    sweep = Sweep(work / seed, seed, server=True, disturbed=DISTURBED)
    sweep.start()
    if sweep.wait_for_checkpoint():
        sweep.pause(0, 2)
        if sweep.running:
            sweep.signal(signal.SIGINT)
            sweep.expect_status(signal.SIGINT)
    return _end(sweep, work)


def store_locked(work: Path, seed: str, times: int) -> Damage:
    """The SQLite file locked by another process for 45 seconds."""
    sweep = Sweep(work / seed, seed, LASTING)
    sweep.start()
    for _ in range(times):
        if not sweep.wait_for_training():
            break
        sweep.pause(0, 5)
        with contextlib.closing(sqlite3.connect(sweep.database, timeout=60, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            sweep.damage.injected += 1
            time.sleep(LOCKED_SECONDS)
            database.execute("ROLLBACK")
    return _end(sweep, work)


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """A tmpfs of its own. It needs the right to mount.

    Raises:
        PermissionError: There is no such right here.
    """
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PermissionError(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def disk_full(work: Path, seed: str, times: int) -> Damage:
    """Checkpoints on a small disk that is full for some seconds."""
    with small_disk(work / f"{seed}-disk", 16) as place:
        sweep = Sweep(work / seed, seed, storage=place / "trials")
        sweep.start()
        for _ in range(times):
            if not sweep.wait_for_training():
                break
            sweep.pause(0.1, 1.5)
            with contextlib.suppress(OSError), (place / "filler").open("wb", buffering=0) as filler:
                sweep.damage.injected += 1
                while True:
                    filler.write(bytes(4096))
            sweep.pause(0.5, 4)
            (place / "filler").unlink()
        return _end(sweep, work)


def checkpoint_truncated(work: Path, seed: str, times: int) -> Damage:
    """The driver killed, and then the newest checkpoint of every trial under way cut off at a random length."""
    sweep = Sweep(work / seed, seed)
    for _ in range(times):
        sweep.start()
        if not sweep.wait_for_checkpoint():
            break
        sweep.pause(0, 1)
        if not sweep.running:
            break
        sweep.kill()
        sweep.damage.injected -= 1
        for folder in sweep.storage.iterdir():
            newest = max(folder.glob("checkpoint-*"), default=None)
            if newest is not None and sweep.has_unfinished_checkpoint(folder):
                os.truncate(newest, sweep.random.randrange(newest.stat().st_size))
                sweep.damage.injected += 1
    return _end(sweep, work)


def _signalled(work: Path, seed: str, times: int, number: int) -> Damage:
    sweep = Sweep(work / seed, seed)
    for _ in range(times):
        sweep.start()
        if not sweep.wait_for_training():
            break
        sweep.pause(0, 3)
        if not sweep.running:
            break
        sweep.signal(number)
        sweep.expect_status(number)
    return _end(sweep, work)


def interrupted(work: Path, seed: str, times: int) -> Damage:
    """Ctrl-C, which reaches the whole process group."""
    return _signalled(work, seed, times, signal.SIGINT)


def terminated(work: Path, seed: str, times: int) -> Damage:
    """SIGTERM to the whole process group, as before a spot instance goes."""
    return _signalled(work, seed, times, signal.SIGTERM)


def crash_points(work: Path, seed: str, points: Sequence[str]) -> tuple[Damage, list[str]]:
    """kill -9 at named points, each once, in random order and at a random passing; which of them were reached."""
    sweep = Sweep(work / seed, seed)
    flags = {point: sweep.work / f"{point.replace(' ', '-')}.flag" for point in points}
    crashes = [
        {
            "point": point,
            "passing": OFTEN.get(point.partition(" ")[2]) or sweep.random.randint(1, 4),
            "flag": str(flags[point]),
        }
        for point in points
    ]
    (sweep.work / "crashes.json").write_text(json.dumps(crashes))
    sweep.environment["DEPTHBENCH_CRASHES"] = str(sweep.work / "crashes.json")
    sweep.environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent / "crash"), str(REPOSITORY)])
    damage = _end(sweep, work)
    reached = [point for point in points if flags[point].exists()]
    damage.injected = len(reached)
    return damage, reached


FAULTS = {
    "kill -9 of a worker": worker_killed,
    "kill -9 of the driver": driver_killed,
    "kill -9 of the MLflow server, 30 s": server_killed,
    "proxy: 429, 500, 503, resets, half answers, hangs": behind_proxy,
    "SQLite locked, 45 s": store_locked,
    "disk full": disk_full,
    "newest checkpoint truncated": checkpoint_truncated,
    "Ctrl-C": interrupted,
    "SIGTERM": terminated,
}
"""By the name that the table gives them."""
PER_SWEEP = {worker_killed: 5, driver_killed: 3, disk_full: 4, interrupted: 3, terminated: 3}
"""Injections into one sweep; two where nothing is said."""
FEWEST_SWEEPS = {behind_proxy: 5}
"""Sweeps of a fault of which one sweep has very many injections."""
assert sys.platform == "linux", "the faults use /proc, signals and tmpfs"
