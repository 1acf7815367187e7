"""Measure the driver, and the overhead of each trial, with up to a thousand trials on fifty nodes of one machine.

    python benchmarks/fleet.py [N...] [--nodes 50] [--at-once 8] [--tracking-uri URI]     default 100, 300, 1,000 trials

Each node is a raylet of its own with one logical core, as in Ray's own tests. A trial is one epoch of 20 digits through
a network of a few hundred parameters, so that nearly all of the time is overhead of the harness. Each number of trials
runs in a process of its own on a cluster of its own. Without numbers of trials, the script writes benchmarks/fleet.md.

A worker needs about 0.4 GB of memory for torch. --at-once limits the number of workers; all nodes train trials only if
it equals the number of nodes.
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
    "question": "What does a trial cost beyond its training?",
    "variants": {"family": "cifar-resnet", "depth": 8, "shortcut": "identity", "set": {"widths": [1, 2, 4]}},
    "data": {"name": "digits", "train_images": 20},
    "recipe": {"epochs": 1, "batch": 20, "lr": 0.05},
}
HEADINGS = (
    "Trials", "Wall time (s)", "Each further trial (s)", "Clocks of a trial (s)", "Driver's memory (MiB)",
    "Worker processes",
)  # fmt: skip


def run_trials(count: int, nodes: int, at_once: int, uri: str, folder: Path) -> dict[str, float]:
    """Start a cluster, run the trials on it, and return what was measured.

    Args:
        count: Number of trials.
        at_once: Most trials at a time.
        uri: MLflow's tracking URI, or ``none``.
        folder: Empty folder for the record and the reports.

    Returns:
        ``trials`` and ``workers``, two counts; ``wall`` and ``own``, the seconds of the whole run and of a trial's own
        clocks; ``memory``, the largest resident bytes of the driver.
    """
    import io

    import ray
    import yaml
    from ray.cluster_utils import Cluster
    from rich.console import Console

    from harness import api
    from harness.execution.attempts import read_attempts
    from harness.processes import peak_resident_bytes, reset_peak_resident_bytes

    file = folder / "fleet.yaml"
    resources = {"max_concurrent": at_once}
    file.write_text(yaml.safe_dump({**EXPERIMENT, "seeds": list(range(count)), "resources": resources}))
    experiment = api.load_resolved_experiment(str(file))
    cluster = Cluster()
    for _ in range(nodes):
        cluster.add_node(num_cpus=1, include_dashboard=False, object_store_memory=80 * 2**20)
    settings = api.Settings(folder / "home", uri, "ray", cluster.address, folder / "reports")
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        reset_peak_resident_bytes()
        began = time.perf_counter()
        result = api.run(experiment, settings, Console(file=io.StringIO()))
        wall, memory = time.perf_counter() - began, peak_resident_bytes()
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert result.trained == count, (result.failed, result.interrupted)
    recorded = open_record(settings, "fleet", create=False).read_trials()
    workers = {
        read_attempts(open_checkpoint_folder(settings) / trial.id)[-1].process.pid for trial in experiment.trials
    }
    own = sum(trial.seconds for trial in recorded.values()) / count
    return {"trials": count, "wall": wall, "own": own, "memory": memory, "workers": len(workers)}


def format_row(measured: dict[str, float], first: dict[str, float]) -> list[str]:
    """Return a row of the table.

    Args:
        measured: Result of :func:`run_trials`.
        first: That of the first row. The seconds of each further trial are counted from there, without the start-up.
    """
    further = measured["trials"] - first["trials"]
    seconds = f"{(measured['wall'] - first['wall']) / further:.3f}" if further > 0 else "–"
    return [
        f"{measured['trials']:,.0f}", f"{measured['wall']:.0f}", seconds, f"{measured['own']:.3f}",
        f"{measured['memory'] / 2**20:.0f}", f"{measured['workers']:.0f}",
    ]  # fmt: skip


def main() -> None:
    """Measure each number of trials in a process of its own, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[])
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--tracking-uri", default="none")
    parser.add_argument(
        "--driver", action="store_true", help="for the script itself: run one number of trials in this process"
    )
    options = parser.parse_args()
    if options.driver:
        with TemporaryDirectory(prefix="depthbench-fleet-") as folder:
            measured = run_trials(options.counts[0], options.nodes, options.at_once, options.tracking_uri, Path(folder))
        print(json.dumps(measured))
        return
    lines = [f"| {' | '.join(HEADINGS)} |", "|" + " --: |" * len(HEADINGS)]
    print("\n".join(lines), flush=True)
    rows: list[dict[str, float]] = []
    for count in options.counts or COUNTS:
        command = [sys.executable, __file__, str(count), "--driver", "--nodes", str(options.nodes)]
        command += ["--at-once", str(options.at_once), "--tracking-uri", options.tracking_uri]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        completed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(completed.stdout.splitlines()[-1]))
        lines.append(f"| {' | '.join(format_row(rows[-1], rows[0]))} |")
        print(lines[-1], flush=True)
    if options.counts:
        return
    Path(__file__).with_suffix(".md").write_text(
        "# A thousand trials on fifty nodes\n\n"
        f"`python benchmarks/fleet.py --nodes {options.nodes} --at-once {options.at_once}"
        f"{f' --tracking-uri {options.tracking_uri}' * (options.tracking_uri != 'none')}` writes this page. It starts "
        f"{options.nodes} raylets of one logical core each on one machine of {os.cpu_count()} cores, with Python "
        f"{platform.python_version()}, and runs at most {options.at_once} trials at a time. A trial is one epoch of 20 "
        "images through a network of a few hundred parameters. Its clocks measure training and evaluation. The "
        "driver's memory is its largest resident memory, imports included. MLflow is used only if the command names a "
        "tracking URI.\n\n" + "\n".join(lines) + "\n"
    )


if __name__ == "__main__":
    main()
