"""A real sweep of short trials on Ray and MLflow: faults are injected, it is run until it is done, and compared."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from faults.proxy import CLIENT_SECONDS, Proxy
from faults.stored_record import compare_history, compare_run, read_store, wrong_times

REPOSITORY = Path(__file__).resolve().parents[2]
EXPERIMENT = {
    "name": "durability",
    "question": "Is anything lost?",
    "variants": {
        "family": "cifar-resnet",
        "depth": [8, 14],
        "shortcut": ["none", "identity"],
        "set": {"widths": [4, 8, 16]},
    },
    "data": {"name": "digits", "train_images": 768},
    # Everything that has a state or a random stream: warm-up, schedule, augmentation, momentum.
    "recipe": {
        "epochs": 8,
        "batch": 64,
        "lr": 0.05,
        "warmup_epochs": 1,
        "augment": "crop-flip",
        "crop_padding": 1,
        "label_smoothing": 0.1,
        "nesterov": True,
    },
    "seeds": [100, 101],
    "execution": {"checkpoint_seconds": 0.2, "drain_seconds": 10},
}
LONGEST = 400
MOST_RUNS = 12


@dataclass
class Damage:
    """How a sweep with faults differs from the reference. All counts but ``injected`` and ``runs`` should be 0."""

    injected: int = 0
    runs: int = 0
    trials_lost: int = 0
    steps_lost: int = 0
    steps_doubled: int = 0
    results_differ: int = 0
    details: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.trials_lost or self.steps_lost or self.steps_doubled or self.results_differ)

    def add(self, name: str, differences: dict[str, list[str]]) -> None:
        """Add the differences of one run: steps that are lost or doubled, and all else."""
        self.steps_lost += len(differences["lost"])
        self.steps_doubled += len(differences["doubled"])
        self.results_differ += bool(differences["differ"])
        self.details += [f"{name}: {what} {some}" for what, some in differences.items() if some]


class Sweep:
    """One experiment in a directory of its own.

    Args:
        work: The directory; what an interrupted sweep left there is removed.
        seed: Of what is left to chance.
        epochs: Longer trials, for faults that last.
        server: Whether MLflow is behind a server of its own.
        storage: Where checkpoints go; None: in the home.
        disturbed: The share of the requests to the server that a proxy in front of it disturbs; 0: no proxy.
    """

    def __init__(
        self,
        work: Path,
        seed: str,
        epochs: int = 8,
        server: bool = False,
        storage: Path | None = None,
        disturbed: float = 0.0,
    ):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        self.work, self.random, self.epochs = work, random.Random(seed), epochs
        experiment = {**EXPERIMENT, "recipe": {**EXPERIMENT["recipe"], "epochs": epochs}}
        (work / "durability.yaml").write_text(yaml.safe_dump(experiment, sort_keys=False))
        self.home = work / ".depthbench"
        self.storage = storage or self.home / "trials"
        self.database = work / "served.db" if server else self.home / "mlflow.db"
        self.server = Server(work, self.database) if server else None
        self.environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1", "COLUMNS": "200"}
        self.proxy: Proxy | None = None
        if self.server and disturbed:
            self.proxy = Proxy(self.server.port, seed, disturbed)
            self.environment["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(CLIENT_SECONDS)
        self.driver: subprocess.Popen[bytes] | None = None
        self.damage = Damage()

    # --- the driver ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start ``harness run`` in a process group of its own, as a shell does."""
        command = [sys.executable, "-m", "harness", "run", "durability.yaml", "--storage", str(self.storage)]
        if self.server:
            command += ["--tracking-uri", self.proxy.uri if self.proxy else self.server.uri]
        with (self.work / "log.txt").open("ab") as log:
            self.driver = subprocess.Popen(
                command, cwd=self.work, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.damage.runs += 1

    def wait(self) -> int:
        """Wait for the driver's end; its exit status, negative for a signal."""
        assert self.driver is not None
        return self.driver.wait(LONGEST)

    @property
    def running(self) -> bool:
        return self.driver is not None and self.driver.poll() is None

    def kill(self) -> None:
        """Kill the driver with SIGKILL, and wait until Ray's workers have ended with it."""
        assert self.driver is not None
        self.driver.kill()
        self.driver.wait()
        self.damage.injected += 1
        self.wait_for_workers_to_end()

    def signal(self, number: int) -> None:
        """Send a signal to the whole process group, as a terminal or an init system does."""
        assert self.driver is not None
        os.killpg(self.driver.pid, number)
        self.damage.injected += 1

    def expect_status(self, number: int) -> None:
        """Wait for the end after a signal, which must be that of the signal, or of a run that was just done."""
        status = self.wait()
        if status not in (128 + number, 0):
            self.damage.details.append(f"exit status {status} after signal {number}")
            self.damage.results_differ += 1

    def wait_for_workers_to_end(self) -> None:
        """Wait until no worker of a killed driver is left."""
        until = time.monotonic() + 30
        while self.workers() and time.monotonic() < until:
            time.sleep(0.1)

    def finish(self) -> Damage:
        """Run again until a run exits with 0; return the damage so far."""
        while True:
            if self.driver is None or self.driver.poll() is not None:
                if self.damage.runs >= MOST_RUNS:
                    break
                self.start()
            if self.wait() == 0:
                break
        if self.proxy:
            self.damage.injected = self.proxy.injected.total()
            self.proxy.stop()
        if self.server:
            self.server.stop()
        return self.damage

    # --- the trials ----------------------------------------------------------------------------------------------

    def attempts(self) -> list[dict]:
        found = []
        for path in self.storage.glob("*/attempt-*.json"):
            try:
                found.append(json.loads(path.read_text()))
            except (OSError, ValueError):
                continue
        return found

    def workers(self) -> list[int]:
        """Return the processes that train now."""
        pids = {attempt["process"]["pid"] for attempt in self.attempts() if not attempt["ended"]}
        return [pid for pid in pids if _is_ours(pid)]

    def wait_for_training(self, trials: int = 1) -> bool:
        """Wait until ``trials`` trials run; return False if the driver ended before."""
        while self.running:
            if len(self.workers()) >= trials:
                return True
            time.sleep(0.05)
        return False

    def wait_for_checkpoint(self) -> bool:
        """Wait until an unfinished trial has a checkpoint; return False if the driver ended before."""
        while self.running:
            if any(map(self.has_unfinished_checkpoint, self.storage.glob("*"))):
                return True
            time.sleep(0.05)
        return False

    def has_unfinished_checkpoint(self, folder: Path) -> bool:
        ends = [json.loads(path.read_text() or "{}").get("ended") for path in folder.glob("attempt-*.json")]
        return "finished" not in ends and any(folder.glob("checkpoint-*"))

    def pause(self, least: float, most: float) -> None:
        time.sleep(self.random.uniform(least, most))

    # --- what came out -------------------------------------------------------------------------------------------

    @property
    def artifacts(self) -> Path:
        return self.work / "artifacts" if self.server else self.home / "artifacts"

    def examine(self, expected: dict[str, list[dict]]) -> Damage:
        """Compare what MLflow holds with the record of the same sweep without faults."""
        starts: dict[str, list[int]] = {}
        for path in self.storage.glob("*/attempt-*.json"):
            with contextlib.suppress(ValueError):
                starts.setdefault(path.parent.name, []).append(json.loads(path.read_text())["started"])
        return examine(read_store(self.database, self.artifacts), expected, starts, self.damage)


def examine(
    stored: dict[str, list[dict]], expected: dict[str, list[dict]], starts: dict[str, list[int]], damage: Damage
) -> Damage:
    """Compare all runs of a store with those of the reference.

    Args:
        stored, expected: Runs by kind and name, see :func:`faults.stored_record.read_store`.
        starts: When the attempts of each trial began.
    """
    unknown = sorted(stored.keys() - expected.keys())
    if unknown:
        damage.results_differ += len(unknown)
        damage.details.append(f"runs that the reference does not have: {unknown}")
    for name, (reference,) in expected.items():
        found = stored.get(name, [])
        if len(found) != 1 or found[0]["status"] != reference["status"]:
            damage.trials_lost += 1
            damage.details.append(f"{name}: {len(found)} runs, {[run['status'] for run in found]}")
            continue
        (run,) = found
        differences = compare_run(run, reference)
        if trial := run["tags"].get("trial"):
            differences["differ"] += wrong_times(run, starts.get(trial, []))
        damage.add(name, differences)
    return damage


def examine_histories(stored: dict[str, list[dict]], histories: dict[str, dict]) -> Damage:
    """Compare the runs of trials in a store with the trials' histories, by trial."""
    damage, runs = Damage(), [run for found in stored.values() for run in found]
    for trial, history in histories.items():
        found = [run for run in runs if run["tags"].get("trial") == trial]
        if [run["status"] for run in found] != ["FINISHED"]:
            damage.trials_lost += 1
            damage.details.append(f"{trial}: {[run['status'] for run in found]}")
            continue
        damage.add(trial, compare_history(found[0], history))
    return damage


class Server:
    """An MLflow server on loopback that can be killed and started again."""

    def __init__(self, work: Path, database: Path) -> None:
        self.work, self.database = work, database
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.database}"]
        command += ["--artifacts-destination", str(self.work / "artifacts")]
        with (self.work / "server.txt").open("ab") as log:
            environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.3)
        raise TimeoutError("the MLflow server did not start")

    def stop(self) -> None:
        """Kill the server and all its processes with SIGKILL."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _is_ours(pid: int) -> bool:
    """Return whether the process is a live Ray worker, not a later process with the same number."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return status != "Z" and b"ray" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def reference_record(work: Path, epochs: int = 8) -> dict[str, list[dict]]:
    """Return what MLflow holds of the same sweep without faults, trained inline on SQLite."""
    kept = work / f"reference-{epochs}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    sweep = Sweep(work / f"reference-{epochs}", "none", epochs)
    command = [sys.executable, "-m", "harness", "run", "durability.yaml", "--launcher", "inline"]
    done = subprocess.run(command, cwd=sweep.work, env=sweep.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kept.write_text(json.dumps(read_store(sweep.database, sweep.artifacts)))
    return json.loads(kept.read_text())
