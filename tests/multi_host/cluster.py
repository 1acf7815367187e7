"""A cluster of three hosts in the lab, made by `ray up` with the shipped cluster-local.yaml; h0 is the laptop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import yaml
from faults.sweep import Damage, examine
from multi_host.lab import REPOSITORY, Lab
from multi_host.shipped import local_file

HEAD, WORKERS = "h1", ("h2", "h3")
WORK = "/root/experiment"
SMALL = "--num-cpus=2 --memory=2000000000 --object-store-memory=100000000"
QUICK = ["--seeds", "10-12", "--set", "name=cut-down", "--set", "variants.depth=[8,14]", "--set", "recipe.epochs=2"]
"""The quickstart, cut down; the same on the cluster and here."""
QUICK += ["--set", "contrasts=[]"]
DURABILITY = {
    # An experiment of the user's own: four trials of some twenty seconds.
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
    """The cluster, and `harness` on the laptop.

    Args:
        lab: Empty.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        lab.up(1 + len(WORKERS))
        self.storage = lab.folder / "shared" / "depthbench"
        (lab.folder / "shared" / "cluster.yaml").write_text(local_file(len(WORKERS), SMALL))
        (lab.folder / "shared" / "durability.yaml").write_text(yaml.safe_dump(DURABILITY, sort_keys=False))
        lab.exec(
            "h0",
            f"mkdir -p {WORK}/experiments && cp /mnt/cluster.yaml {WORK} && cp /mnt/durability.yaml {WORK}/experiments && "
            "ray get-auth-token --generate > /dev/null 2>&1; test -s ~/.ray/auth_token",
        )
        self.laptop("ray up -y --no-config-cache cluster.yaml", timeout=200)

    # --- the laptop ----------------------------------------------------------------------------------------------

    def laptop(self, line: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess:
        """Run a shell line on the laptop, in the folder of the experiment."""
        return self.lab.exec("h0", f"cd {WORK}; {line}", check=check, timeout=timeout)

    def start(self, *arguments: str, log: str) -> subprocess.Popen:
        """Start ``harness`` on the laptop; what it prints goes to a file of that name (:meth:`log`)."""
        words = " ".join(f"'{word}'" for word in arguments)
        return self.lab.start("h0", f"cd {WORK}; NO_COLOR=1 exec python -m harness {words} > /mnt/{log} 2>&1")

    def harness(self, *arguments: str, timeout: float = 200) -> subprocess.CompletedProcess:
        """Run ``harness`` on the laptop to its end."""
        words = " ".join(f"'{word}'" for word in arguments)
        return self.laptop(f"NO_COLOR=1 python -m harness {words}", check=False, timeout=timeout)

    def log(self, name: str) -> str:
        return (self.lab.folder / "shared" / name).read_text(errors="replace")

    def signal_laptop(self, name: str) -> None:
        """A signal to every harness on the laptop."""
        self.lab.exec("h0", f"kill -{name} $(pgrep -f '[p]ython -m harness')")

    # --- the trials ----------------------------------------------------------------------------------------------

    def attempts(self, trial: str = "*") -> list[dict]:
        """Return the attempts of one trial, or of all, each with the id of its trial."""
        found = []
        for file in sorted(self.storage.glob(f"{trial}/attempt-*.json")):
            try:
                found.append(json.loads(file.read_text()) | {"trial": file.parent.name})
            except (OSError, ValueError):
                continue
        return found

    def training_on(self, host: str) -> str | None:
        """Return a trial that runs on ``host`` and has a checkpoint; None if there is none."""
        for attempt in self.attempts():
            folder = self.storage / attempt["trial"]
            if attempt["process"]["host"] == host and not attempt["ended"] and any(folder.glob("checkpoint-*")):
                return attempt["trial"]
        return None

    def wait_for_training_on(self, host: str, driver: subprocess.Popen) -> str:
        return until(lambda: self.training_on(host), f"a trial on {host}", 90, driver)

    def moved(self, trial: str, host: str, driver: subprocess.Popen) -> tuple[dict, float]:
        """Wait until a trial resumes on another host; return that attempt and the seconds since the call."""
        begin = time.monotonic()

        def elsewhere():
            newest = self.attempts(trial)[-1]
            return newest if newest["process"]["host"] != host else None

        return until(elsewhere, f"{trial} elsewhere", 90, driver), time.monotonic() - begin

    # --- the cluster ---------------------------------------------------------------------------------------------

    def alive(self) -> int:
        """Return the number of hosts that Ray's head lists as alive."""
        code = "import ray; ray.init('auto', log_to_driver=False); print(sum(n['Alive'] for n in ray.nodes()))"
        done = self.lab.exec(HEAD, f'RAY_AUTH_MODE=token python -c "{code}" 2>/dev/null', check=False)
        return int(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else 0

    def damage(self, trials: int, epochs: int) -> Damage:
        """Compare the store with the histories of the trials; check first that these hold every epoch once."""
        from harness.io.storage import Folder
        from harness.tracking.history import read_newest_history

        copy = "import sqlite3; sqlite3.connect('/root/mlflow/mlflow.db').backup(sqlite3.connect('/mnt/store.db'))"
        self.lab.exec(HEAD, f'rm -f /mnt/store.db; python -c "{copy}"')
        ids = {attempt["trial"] for attempt in self.attempts()}
        journals = {
            i: read_newest_history(Folder.from_location(self.storage / i), i).model_dump(mode="json") for i in ids
        }
        mine = {i: j for i, j in journals.items() if j["trial"]["recipe"]["epochs"] == epochs}
        assert len(mine) == trials
        for journal in mine.values():
            assert [epoch["epoch"] for epoch in journal["epochs"]][-epochs:] == list(range(1, epochs + 1))
        return examine(self.lab.folder / "shared" / "store.db", mine, Damage())


def until(condition, what: str, seconds: float, driver: subprocess.Popen | None = None):
    """Wait until ``condition()`` is true, and return its value."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert driver is None or driver.poll() is None, f"the run ended before {what}"
        assert time.monotonic() < end, f"{what} did not come within {seconds:.0f} s"
        time.sleep(0.1)
    return found


def run_here(work: Path, *arguments: str) -> None:
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
