"""The Ray launcher on a cluster of two nodes, with trials of two workers."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from trial_helpers import SILENT_CONSOLE

from harness import api
from harness.errors import HarnessError
from harness.io.checkpoint_names import list_checkpoints
from harness.io.storage_mark import MARK
from harness.launchers.ray.launcher import RayLauncher
from harness.specs import Resources
from harness.tracking.history import read_newest_history
from harness.tracking.record import open_checkpoint_folder

pytestmark = pytest.mark.slow


def shared_experiment(experiment_file, depth, **changes):
    """Return the path of an experiment whose trials have two workers each."""
    variants = {
        "family": "cifar-resnet",
        "depth": [depth],
        "shortcut": ["identity"],
        "set": {"widths": [2, 4, 8], "norm": "group"},
    }
    return str(experiment_file(variants=variants, contrasts=None, resources={"workers": 2}, **changes))


def test_trial_on_two_nodes_measures_what_one_process_measures(cluster, tmp_path, experiment_file):
    file = shared_experiment(experiment_file, 8)
    study = api.load_resolved_experiment(file)
    on_ray = api.Settings(home=tmp_path / "ray", tracking_uri="none", address=cluster.address)
    result = api.run(study, on_ray, SILENT_CONSOLE)
    assert (result.trained, result.failed) == (2, {})
    # The mark by which each host recognises the storage.
    assert MARK in open_checkpoint_folder(on_ray).list_names()
    inline = api.Settings(home=tmp_path / "inline", tracking_uri="none", launcher="inline")
    api.run(api.load_resolved_experiment(file, ["resources.workers=1"]), inline, SILENT_CONSOLE)
    for trial in study.trials:
        two, one = (
            read_newest_history(open_checkpoint_folder(settings) / trial.id, trial.id) for settings in (on_ray, inline)
        )
        assert two.provenance["device"].startswith("2 x ")
        for mine, expected in zip(two.epochs, one.epochs, strict=True):
            for key, value in mine.metrics.items():
                # float32 sums in another order. A gradient that is not averaged would be wrong by a half.
                is_equal = value == pytest.approx(expected.metrics[key], abs=2e-6, rel=1e-4)
                assert key.startswith("time/") or is_equal, key


def kill_actor(folder):
    """Kill the worker that is not rank 0 as soon as its trial has a checkpoint after its first epoch."""
    deadline = time.monotonic() + 120
    while not any(checkpoint.epoch for checkpoint in list_checkpoints(folder)):
        assert time.monotonic() < deadline, "the trial has not trained an epoch"
        time.sleep(0.05)
    (worker,) = [p for p in psutil.process_iter(["cmdline"]) if "ray::TrialActor" in (p.info["cmdline"] or [""])[0]]
    worker.send_signal(signal.SIGKILL)


def test_trial_whose_worker_is_killed_resumes_from_its_checkpoint(cluster, tmp_path, experiment_file):
    file = shared_experiment(
        experiment_file,
        14,
        seeds=[100],
        recipe={"epochs": 60, "batch": 64, "lr": 0.05},
        execution={"checkpoint_seconds": 0.2},
    )
    study = api.load_resolved_experiment(file)
    settings = api.Settings(home=tmp_path / "ray", tracking_uri="none", address=cluster.address)
    trial = study.trials[0].id
    folder = open_checkpoint_folder(settings) / trial
    with ThreadPoolExecutor() as pool:
        killed = pool.submit(kill_actor, folder)
        result = api.run(study, settings, SILENT_CONSOLE)
        killed.result()
    assert result.failed == {}
    history = read_newest_history(folder, trial)
    assert (history.last_epoch, history.provenance["attempts"]) == (60, 2)


def test_launcher_with_a_kind_of_gpu_that_one_node_has_runs_one_trial(cluster):
    assert RayLauncher(Resources(gpus=0.5, accelerator="T4"), cluster.address).concurrency == 1


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (
            {"gpus": 1, "accelerator": "H200"},
            "1 CPU and 1 GPUs of the kind H200; the cluster has 2 CPUs and 1 GPUs of the kind T4",
        ),
        ({"cpus": 2, "workers": 2}, "2 workers, each with 2 CPUs and 0 GPUs; .* room for 0 of 2 workers"),
    ],
    ids=["kind of GPU", "two workers"],
)
def test_launcher_with_resources_that_the_cluster_never_has_is_refused(cluster, resources, message):
    with pytest.raises(HarnessError, match=message):
        RayLauncher(Resources(**resources), cluster.address)
