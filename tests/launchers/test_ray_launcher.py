"""On a Ray cluster of several nodes (of this machine): trials of two workers, and data that every node must have."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import ray
from trial_helpers import SILENT_CONSOLE

from harness import api
from harness.data.description import describe_data
from harness.data.sources import DEBIAN_FASHION_MNIST
from harness.errors import HarnessError
from harness.launchers.benchmark import run_on_ray
from harness.launchers.ray.data_staging import stage_data
from harness.launchers.ray.launcher import RayLauncher
from harness.specs import DataSpec, Resources
from harness.specs.measured_cost import CostSetting
from harness.tracking.history import read_newest_history
from harness.tracking.record import open_checkpoint_folder

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(tmp_path):
    """Nodes of one core each: a trial of two workers is on both. Their caches are their own."""
    from ray.cluster_utils import Cluster

    caches = [tmp_path / "first", tmp_path / "second"]
    made = Cluster()
    for number, cache in enumerate(caches):
        cache.mkdir()
        made.add_node(
            num_cpus=1,
            num_gpus=number,
            include_dashboard=False,
            object_store_memory=80 * 2**20,
            resources={f"place-{number}": 1, **({"accelerator_type:T4": 1} if number else {})},
            env_vars={"DEPTHBENCH_CACHE": str(cache), "PYTHONPATH": os.environ.get("PYTHONPATH", str(Path.cwd()))},
        )
    ray.init(address=made.address, log_to_driver=False)
    try:
        yield made.address, caches
    finally:
        ray.shutdown()
        made.shutdown()


def _fashion_mnist(cache, seed):
    """40 random images in the data set's own format."""
    rng = np.random.default_rng(seed)
    raw = cache / "data" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    labels = np.repeat(np.arange(10, dtype=np.uint8), 2)
    for part in ("train", "t10k"):
        images = rng.integers(0, 256, (20, 28, 28), np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
            (raw / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))


def test_a_trial_over_two_nodes_is_the_trial_of_one_process(cluster, tmp_path, experiment_file):
    file = experiment_file(
        variants={"family": "cifar-resnet", "depth": [8], "shortcut": ["identity"],
                  "set": {"widths": [2, 4, 8], "norm": "group"}},
        contrasts=None, resources={"workers": 2},
    )  # fmt: skip
    study = api.load_resolved_experiment(str(file))
    told = []
    settings = api.Settings(home=tmp_path / "ray", tracking_uri="none", address=cluster[0])
    outcome = api.run(study, settings, SILENT_CONSOLE, announce=lambda plan: told.append(plan.concurrency))
    assert not outcome.failed, outcome.failed
    assert outcome.trained == 2
    # By which a host knows that it sees these checkpoints.
    assert ".depthbench-storage" in open_checkpoint_folder(settings).list_names()
    one = api.Settings(home=tmp_path / "inline", tracking_uri="none", launcher="inline")
    alone = api.load_resolved_experiment(str(file), ["resources.workers=1"])
    api.run(alone, one, SILENT_CONSOLE)
    for trial in study.trials:
        both, single = (read_newest_history(s.folder / trial.id, trial.id) for s in (settings, one))
        assert both.provenance["device"].startswith("2 x ")
        for mine, its in zip(both.epochs, single.epochs, strict=True):
            for key, value in mine.metrics.items():
                # float32, added up in another order; a gradient that is not averaged is off by halves.
                assert key.startswith("time/") or value == pytest.approx(its.metrics[key], abs=2e-6, rel=1e-4)


def test_a_worker_that_is_killed_costs_no_trial(cluster, tmp_path, experiment_file):
    """Tune starts the trial again, which goes on from its checkpoint."""
    file = experiment_file(
        variants={"family": "cifar-resnet", "depth": [14], "shortcut": ["identity"],
                  "set": {"widths": [2, 4, 8], "norm": "group"}},
        contrasts=None, resources={"workers": 2}, seeds=[100],
        recipe={"epochs": 60, "batch": 64, "lr": 0.05}, execution={"checkpoint_seconds": 0.2},
    )  # fmt: skip
    study = api.load_resolved_experiment(str(file))
    home = tmp_path / "ray"
    settings = api.Settings(home=home, tracking_uri="none", address=cluster[0])
    # From another process: it waits until the trial has checkpoints, then kills the actor that is not rank 0.
    killer = subprocess.Popen(
        [sys.executable, "-c", KILLER, str(open_checkpoint_folder(settings) / study.trials[0].id)],
        stdout=subprocess.PIPE,
        text=True,
    )
    outcome = api.run(study, settings, SILENT_CONSOLE)
    said = killer.communicate(timeout=60)[0]
    assert "killed" in said
    assert not outcome.failed, outcome.failed
    history = read_newest_history(open_checkpoint_folder(settings) / study.trials[0].id, study.trials[0].id)
    assert history.last_epoch == 60
    assert history.provenance["attempts"] == 2


KILLER = """
import os, signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
for _ in range(1200):
    if len(list(folder.glob("checkpoint-0001-00000[1-9]*"))):
        break
    time.sleep(0.1)
for entry in Path("/proc").glob("[0-9]*/cmdline"):
    try:
        line = entry.read_bytes()
    except OSError:
        continue
    if line.startswith(b"ray::Peer"):
        os.kill(int(entry.parent.name), signal.SIGKILL)
        print("killed")
"""


def test_a_node_with_other_bytes_or_none_is_named(cluster):
    """Same host name here, so it is the message that tells the two nodes apart: each has its own cache."""
    caches = cluster[1]
    spec = DataSpec(name="fashion-mnist", root=str(caches[0] / "data"))
    for cache in caches:
        _fashion_mnist(cache, seed=0)
    _, mine = describe_data(spec)
    everywhere = mine.model_copy(update={"root": None})
    if not DEBIAN_FASHION_MNIST.is_dir():
        assert stage_data(everywhere, "none", Resources()) == 2
    assert stage_data(mine, "none", Resources(gpus=1, accelerator="T4")) == 1
    with pytest.raises(HarnessError, match=r"2 of 2 nodes \(.*\) do not have .* the fingerprint .* declares 0000"):
        stage_data(mine.model_copy(update={"fingerprint": "0000"}), "none", Resources())
    shutil.rmtree(caches[1])
    if not DEBIAN_FASHION_MNIST.is_dir():
        with pytest.raises(HarnessError, match=r"1 of 2 nodes \(.*\) do not have .* not found"):
            stage_data(everywhere, "none", Resources())


def test_kinds_of_gpu_are_resources_by_name(cluster):
    """One node says that it has a T4; nothing is said of an H200, and so it is refused before it waits for ever."""
    assert RayLauncher(Resources(gpus=0.5, accelerator="T4"), cluster[0]).concurrency == 1
    with pytest.raises(HarnessError, match=r"1 CPU and 1 GPUs of the kind H200; the cluster has 2 CPUs and 1 GPUs"):
        RayLauncher(Resources(gpus=1, accelerator="H200"), cluster[0])
    with pytest.raises(HarnessError, match=r"2 workers, each with 2 CPUs and 0 GPUs; .* room for 0 of 2 workers"):
        RayLauncher(Resources(cpus=2, workers=2), cluster[0])


def test_costs_are_measured_on_a_node_of_that_kind(cluster):
    """Nothing is measured here; the GPU is a resource alone. What runs is told where."""
    setting = CostSetting(device="cuda", size=(8, 8))
    with pytest.raises(HarnessError, match="of the kind H200"), run_on_ray(setting, cluster[0], "H200"):
        pass
    with run_on_ray(setting, cluster[0], "T4") as there:
        (answer,) = there([{"variant": {}, "setting": {"threads": 1, "compile": False}, "seconds": 0, "turns": 1}])
    assert "crash" in answer, "it was reached, and knows no such variant"


def test_a_closed_launcher_leaves_no_process_behind():
    import psutil

    before = set(psutil.Process().children(recursive=True))
    launcher = RayLauncher(Resources(), None)
    assert ray.get(ray.remote(lambda: os.getpid()).remote()) != os.getpid()
    started = set(psutil.Process().children(recursive=True)) - before
    assert {"raylet", "gcs_server"} <= {process.name() for process in started}
    launcher.close()
    assert not ray.is_initialized()
    assert not psutil.wait_procs(started, timeout=5)[1]


def test_a_driver_that_init_adopted_outlives_its_cluster(tmp_path):
    """Ray ends such a driver, without a word, where the raylet is gone before the driver has left it."""
    script = tmp_path / "driver.py"
    script.write_text(
        "import os\n"
        "from harness.launchers.ray.launcher import RayLauncher\n"
        "from harness.specs import Resources\n"
        "launcher = RayLauncher(Resources(), None)\n"
        "print(os.getppid(), flush=True)\n"
        "launcher.close()\n"
        "print('closed', flush=True)\n"
    )
    log = tmp_path / "log.txt"
    command = '"$0" "$1" 3>&1 > "$2" 2>&1 &'
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    # The pipe closes with the driver, whoever its parent is by then.
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(script), str(log)], env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == 0
    lines = log.read_text().split()
    assert lines[-1] == "closed", log.read_text()
    if lines[0] != "1":
        pytest.skip(f"process {lines[0]} adopts here, not init")
