"""A cluster of three hosts in the lab, made by `ray up` with the shipped cluster-local.yaml; h0 is the laptop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import yaml
from faults.stored_record import read_store
from faults.sweep import Damage, examine_histories
from multi_host.lab import REPOSITORY, Lab
from multi_host.shipped import write_local_file

HEAD, WORKERS = "h1", ("h2", "h3")
WORK = "/root/experiment"
RAY_RESOURCES = "--num-cpus=2 --memory=2000000000 --object-store-memory=100000000"
QUICK = ["--seeds", "10-12", "--set", "name=cut-down", "--set", "variants.depth=[8,14]", "--set", "recipe.epochs=2"]
"""Options that make the quickstart short, on the cluster and on this machine alike."""
QUICK += ["--set", "contrasts=[]"]
DURABILITY = {
    # An experiment of the user: four trials of about twenty seconds each.
    "name": "durability",
    "question": "Is anything lost?",
    "variants": {
        "family": "cifar-resnet",
        "depth": 20,
        "shortcut": ["none", "identity"],
        "set": {"widths": [8, 16, 32]},
    },
    "data": {"name": "digits"},
    "recipe": {"epochs": 30, "batch": 128, "lr": 0.05},
    "seeds": [10, 11],
    "execution": {"checkpoint_seconds": 1},
}


class Cluster:
    """The cluster, and the command `harness` on the laptop.

    Args:
        lab: A lab without hosts.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab, self.logs = lab, dict[subprocess.Popen, str]()
        lab.up(1 + len(WORKERS))
        self.storage = lab.folder / "shared" / "depthbench"
        (lab.folder / "shared" / "cluster.yaml").write_text(write_local_file(len(WORKERS), RAY_RESOURCES))
        (lab.folder / "shared" / "durability.yaml").write_text(yaml.safe_dump(DURABILITY, sort_keys=False))
        lab.exec(
            "h0",
            f"mkdir -p {WORK}/experiments && cp /mnt/cluster.yaml {WORK} && "
            f"cp /mnt/durability.yaml {WORK}/experiments && "
            "ray get-auth-token --generate > /dev/null 2>&1; test -s ~/.ray/auth_token",
        )
        self.run_on_laptop("ray up -y --no-config-cache cluster.yaml", timeout=200)

    # --- the laptop ----------------------------------------------------------------------------------------------

    def run_on_laptop(self, line: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess:
        """Run a shell line on the laptop, in the folder of the experiment."""
        return self.lab.exec("h0", f"cd {WORK}; {line}", check=check, timeout=timeout)

    def start_harness(self, *arguments: str, log: str) -> subprocess.Popen:
        """Start ``harness`` on the laptop; its output goes to the file ``log``, which :meth:`read_log` reads."""
        words = " ".join(f"'{word}'" for word in arguments)
        process = self.lab.start("h0", f"cd {WORK}; NO_COLOR=1 exec python -m harness {words} > /mnt/{log} 2>&1")
        self.logs[process] = log
        return process

    def run_harness(self, *arguments: str, timeout: float = 200) -> subprocess.CompletedProcess:
        """Run ``harness`` on the laptop to its end."""
        words = " ".join(f"'{word}'" for word in arguments)
        return self.run_on_laptop(f"NO_COLOR=1 python -m harness {words}", check=False, timeout=timeout)

    def read_log(self, name: str) -> str:
        """Return the output so far of a command that :meth:`start_harness` started; empty before it has begun."""
        log = self.lab.folder / "shared" / name
        return log.read_text(errors="replace") if log.exists() else ""

    def signal_laptop(self, name: str) -> None:
        """Send a signal to every `harness` process on the laptop."""
        self.lab.exec("h0", f"kill -{name} $(pgrep -f '[p]ython -m harness')")

    # --- the trials ----------------------------------------------------------------------------------------------

    def read_attempts(self, trial: str = "*") -> list[dict]:
        """Return the attempts of one trial, or of all, each with the id of its trial."""
        attempts = []
        for file in sorted(self.storage.glob(f"{trial}/attempt-*.json")):
            try:
                attempts.append(json.loads(file.read_text()) | {"trial": file.parent.name})
            except (OSError, ValueError):
                # The host writes the file at this moment.
                continue
        return attempts

    def find_trial_on(self, host: str) -> str | None:
        """Return a trial that runs on ``host`` and has a checkpoint; None if there is none."""
        for attempt in self.read_attempts():
            folder = self.storage / attempt["trial"]
            if attempt["process"]["host"] == host and not attempt["ended"] and any(folder.glob("checkpoint-*")):
                return attempt["trial"]
        return None

    def wait_for_trial_on(self, host: str, driver: subprocess.Popen) -> str:
        """Wait until a trial with a checkpoint runs on ``host``; return its id."""
        try:
            # All hosts share the cores of this machine, often with another test.
            return wait_until(lambda: self.find_trial_on(host), f"a trial on {host}", 240, driver)
        except AssertionError as error:
            log = self.read_log(self.logs[driver])
            raise AssertionError(f"{error}; attempts: {self.read_attempts()}\n{log}") from None

    def wait_for_move(self, trial: str, host: str, driver: subprocess.Popen) -> tuple[dict, float]:
        """Wait until a trial resumes on another host; return that attempt and the seconds since the call."""
        begin = time.monotonic()

        def attempt_on_other_host():
            newest = self.read_attempts(trial)[-1]
            return newest if newest["process"]["host"] != host else None

        return wait_until(attempt_on_other_host, f"{trial} on another host", 240, driver), time.monotonic() - begin

    # --- the cluster ---------------------------------------------------------------------------------------------

    def count_hosts(self) -> int:
        """Return the number of hosts that Ray's head lists as alive."""
        code = "import ray; ray.init('auto', log_to_driver=False); print(sum(n['Alive'] for n in ray.nodes()))"
        done = self.lab.exec(HEAD, f'RAY_AUTH_MODE=token python -c "{code}" 2>/dev/null', check=False)
        return int(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else 0

    def check_record(self, trials: int, epochs: int) -> Damage:
        """Check that the histories of the trials hold each epoch once; return how the store differs from them.

        Args:
            trials: Number of trials with this number of epochs.
        """
        from harness.io.storage import Folder
        from harness.tracking.history import read_newest_history

        copy = "import sqlite3; sqlite3.connect('/root/mlflow/mlflow.db').backup(sqlite3.connect('/mnt/store.db'))"
        self.lab.exec(HEAD, f'rm -f /mnt/store.db; python -c "{copy}"')
        ids = {attempt["trial"] for attempt in self.read_attempts()}
        histories = {
            trial: read_newest_history(Folder.from_location(self.storage / trial), trial).model_dump(mode="json")
            for trial in ids
        }
        expected = {
            trial: history for trial, history in histories.items() if history["trial"]["recipe"]["epochs"] == epochs
        }
        assert len(expected) == trials
        for history in expected.values():
            assert [epoch["epoch"] for epoch in history["epochs"]][-epochs:] == list(range(1, epochs + 1))
        return examine_histories(read_store(self.lab.folder / "shared" / "store.db", self.lab.folder), expected)


def wait_until(condition, description: str, seconds: float, driver: subprocess.Popen | None = None):
    """Wait until ``condition()`` is true and return its value; fail if ``driver`` ends first."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert driver is None or driver.poll() is None, f"the run ended before {description}"
        assert time.monotonic() < end, f"{description} did not come within {seconds:.0f} s"
        time.sleep(0.1)
    return value


def run_on_this_machine(work: Path, *arguments: str) -> None:
    """Run the quickstart on this machine with the inline launcher."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "quickstart", *arguments, "--launcher", "inline"],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
