"""A thousand trials over fifty nodes, all of them on this machine: what the driver takes, and each trial beside itself.

    python benchmarks/fleet.py [N...] [--nodes 50] [--at-once 8] [--tracking-uri URI]     default 100, 300, 1,000 trials

Each node is a raylet of its own with one logical core, as Ray's tests make clusters; trials are the smallest that there
are (one epoch of 20 digits through a net of a few hundred parameters), so that what is left is the harness. Each count
is run by a process of its own on a cluster of its own. The default writes benchmarks/fleet.md.

Fifty workers with torch in them take about 20 GB: --at-once says how many there are. Every node gets its turn only
where that is the number of nodes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.tracking.record import open_checkpoint_folder, open_record

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

COUNTS = (100, 300, 1000)
NODES, AT_ONCE = 50, 8
EXPERIMENT = {
    "name": "fleet",
    "question": "What does a trial cost beside itself?",
    "variants": {"family": "cifar-resnet", "depth": 8, "shortcut": "identity", "set": {"widths": [1, 2, 4]}},
    "data": {"name": "digits", "train_images": 20},
    "recipe": {"epochs": 1, "batch": 20, "lr": 0.05},
}
HEADINGS = (
    "Trials", "Wall time (s)", "Each further trial (s)", "Its own clocks (s)", "Driver's memory (MiB)",
    "Worker processes",
)  # fmt: skip


def drive(count: int, nodes: int, at_once: int, uri: str, folder: Path) -> dict[str, float]:
    """Run so many trials on a cluster that is made for them; seconds and bytes."""
    import io

    import ray
    import yaml
    from ray.cluster_utils import Cluster
    from rich.console import Console

    from harness import api
    from harness.execution.attempts import read_attempts
    from harness.processes import reset_peak_resident_bytes, peak_resident_bytes

    file = folder / "fleet.yaml"
    resources = {"max_concurrent": at_once}
    file.write_text(yaml.safe_dump({**EXPERIMENT, "seeds": list(range(count)), "resources": resources}))
    study = api.load_resolved_experiment(str(file))
    cluster = Cluster()
    for _ in range(nodes):
        cluster.add_node(num_cpus=1, include_dashboard=False, object_store_memory=80 * 2**20)
    settings = api.Settings(folder / "home", uri, "ray", cluster.address, folder / "reports")
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        reset_peak_resident_bytes()
        began = time.perf_counter()
        outcome = api.run(study, settings, Console(file=io.StringIO()))
        wall, most = time.perf_counter() - began, peak_resident_bytes()
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert outcome.trained == count, (outcome.failed, outcome.stopped)
    recorded = open_record(settings, "fleet", create=False).read_trials()
    workers = {read_attempts(open_checkpoint_folder(settings) / trial.id)[-1].process.pid for trial in study.trials}
    own = sum(run.seconds for run in recorded.values()) / count
    return {"trials": count, "wall": wall, "own": own, "most": most, "workers": len(workers)}


def row(found: dict[str, float], first: dict[str, float]) -> list[str]:
    """Of the table. A further trial's seconds are counted from the first row on, which has paid for the start."""
    further = found["trials"] - first["trials"]
    seconds = f"{(found['wall'] - first['wall']) / further:.3f}" if further > 0 else "–"
    return [
        f"{found['trials']:,.0f}", f"{found['wall']:.0f}", seconds, f"{found['own']:.3f}",
        f"{found['most'] / 2**20:.0f}", f"{found['workers']:.0f}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[])
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--tracking-uri", default="none")
    parser.add_argument("--driver", action="store_true", help="used by this script: one count, in this process")
    given = parser.parse_args()
    if given.driver:
        with TemporaryDirectory(prefix="depthbench-fleet-") as folder:
            found = drive(given.counts[0], given.nodes, given.at_once, given.tracking_uri, Path(folder))
        print(json.dumps(found))
        return
    lines = [f"| {' | '.join(HEADINGS)} |", "|" + " --: |" * len(HEADINGS)]
    print("\n".join(lines), flush=True)
    rows: list[dict[str, float]] = []
    for count in given.counts or COUNTS:
        options = ["--driver", "--nodes", given.nodes, "--at-once", given.at_once, "--tracking-uri", given.tracking_uri]
        command = [sys.executable, __file__, str(count), *map(str, options)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        lines.append(f"| {' | '.join(row(rows[-1], rows[0]))} |")
        print(lines[-1], flush=True)
    if given.counts:
        return
    Path(__file__).with_suffix(".md").write_text(
        "# A thousand trials over fifty nodes\n\n"
        f"Made by `python benchmarks/fleet.py --nodes {given.nodes} --at-once {given.at_once}"
        f"{f' --tracking-uri {given.tracking_uri}' * (given.tracking_uri != 'none')}`: {given.nodes} raylets of one "
        f"logical core on one machine of {os.cpu_count()} cores, at most {given.at_once} trials at a time; Python "
        f"{platform.python_version()}. They are the smallest trials that there are; their own clocks are training and "
        "evaluation. The driver's memory is the most that it held resident, imports and all; no MLflow unless the "
        "command names one.\n\n" + "\n".join(lines) + "\n"
    )


if __name__ == "__main__":
    main()
