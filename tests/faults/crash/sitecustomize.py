"""Kills the process at named points of the harness: on the path of every Python process of a disturbed run.

The harness itself knows nothing of this. ``DEPTHBENCH_CRASHES`` names a JSON file: a list of
``{"point": name, "passing": n, "flag": path}``; a process that passes a point for the n-th time leaves the flag,
so that no other dies there, and kills itself.
"""

import functools
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

CRASHES = json.loads(Path(os.environ["DEPTHBENCH_CRASHES"]).read_text())
passed = Counter()


def reached(point):
    passed[point] += 1
    for crash in CRASHES:
        if crash["point"] == point and passed[point] >= crash["passing"]:
            try:
                os.close(os.open(crash["flag"], os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)


def around(owner, name, point, matters=lambda *arguments, **named: True):
    """Make crash points before and after each call of a function."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*arguments, **named):
        chosen = matters(*arguments, **named)
        if chosen:
            reached(f"before {point}")
        result = original(*arguments, **named)
        if chosen:
            reached(f"after {point}")
        return result

    setattr(owner, name, wrapped)


def _is_checkpoint(path):
    return Path(path).name.lstrip(".").startswith("checkpoint-")


def _storage(module):
    around(module.Folder, "write", "checkpoint write", lambda folder, name, content: _is_checkpoint(name))
    around(module.Folder, "write_new", "attempt claim")
    around(module.Folder, "remove", "checkpoint removal", lambda folder, name: _is_checkpoint(name))


def _files(module):
    around(os, "fsync", "checkpoint fsync", lambda file: _is_checkpoint(Path(f"/proc/self/fd/{file}").readlink()))
    around(Path, "replace", "checkpoint rename", lambda path, target: _is_checkpoint(path))


def _history_publisher(module):
    around(module.HistoryPublisher, "_prepare_run", "introduction")
    around(module.HistoryPublisher, "_send_batch", "publish", lambda publisher, batch, epochs: bool(batch))


def _background_publisher(module):
    create_client = module.create_client

    def create_watched_client(uri):
        client = create_client(uri)
        around(client, "set_terminated", "termination")
        return client

    module.create_client = create_watched_client


def _artifacts(module):
    around(module.RunArtifacts, "write_text", "artifact", lambda artifacts, name, text: name != "study.json")


def _record(module):
    around(module.MlflowRecord, "create_experiment", "experiment creation")
    around(module.MlflowRecord, "prepare_runs", "preparation")
    around(module.MlflowRecord, "write_lease", "lease")
    around(module.MlflowRecord, "write_seed_means", "means")
    around(module.MlflowRecord, "write_end_reason", "end note")
    around(module.MlflowRecord, "attach_report", "report upload")


def _run_creation(module):
    around(module, "find_or_create_run", "run creation", lambda client, new, *others: "trial" in new.tags)


PATCHES = {
    "harness.io.atomic_files": _files,
    "harness.io.storage": _storage,
    "harness.tracking.mlflow_record.artifacts": _artifacts,
    "harness.tracking.mlflow_record.publishing.history_publisher": _history_publisher,
    "harness.tracking.mlflow_record.publishing.background_publisher": _background_publisher,
    "harness.tracking.mlflow_record.run_creation": _run_creation,
    "harness.tracking.mlflow_record.writer": _record,
}


class Patching(importlib.abc.MetaPathFinder):
    """An import hook that patches a module as soon as any process loads it."""

    def find_spec(self, name, path=None, target=None):
        if name not in PATCHES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            PATCHES[name](module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Patching())
