"""What an MLflow store holds of a sweep, without what may differ between two sweeps, and the comparison of two."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from pathlib import Path

MAY_DIFFER = {
    "values of metrics": r"time/.*|system/.*",
    "tags": r"memory_bytes|trials|mlflow\.source\.git\.commit",
    "artifacts": r"traceback\.txt",
    "words in descriptions": r"Training took .*? s( on a shared device)?\.|\| Training seconds per trial \|.*?\|"
    r"|\S+ The device was shared, so this time [^\n]*",
}
"""What may differ, as regular expressions: times, memory, and hashes over both. Everything else has to be equal.

MLflow's ids of runs are replaced by names, so that nesting is compared. A host's name stands in no tag. Attempts are
counted in artifacts only. A trial whose worker was killed too often has failed, and its run keeps the traceback.
"""
PARTS = ("status", "tags", "parameters", "datasets", "metrics", "artifacts")


def read_store(database: Path, artifacts: Path) -> dict:
    """Return all active runs of a store by kind and name, in a form that JSON keeps.

    Args:
        artifacts: The directory that the store's artifacts are in.
    """
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as store:
        runs = store.execute(
            "SELECT run_uuid, name, status, start_time, end_time, artifact_uri FROM runs "
            "WHERE lifecycle_stage = 'active'"
        ).fetchall()
        tags, params, metrics = (
            _by_run(store.execute(f"SELECT run_uuid, {columns} FROM {table}").fetchall())
            for table, columns in (
                ("tags", "key, value"),
                ("params", "key, value"),
                ("metrics", "key, step, value, is_nan, timestamp"),
            )
        )
        datasets = _by_run(
            store.execute(
                "SELECT inputs.destination_id, datasets.name, datasets.digest FROM inputs JOIN datasets ON "
                "inputs.source_id = datasets.dataset_uuid WHERE inputs.source_type = 'DATASET'"
            ).fetchall()
        )
    names = {run: name for run, name, *_ in runs}
    stored: dict = {}
    for run, name, status, start, end, place in runs:
        of_run = dict(tags.get(run, ()))
        key = f"{of_run.get('depthbench.kind')} {name} {of_run.get('trial', '')}".strip()
        stored.setdefault(key, []).append(
            {
                "status": status,
                "start": start,
                "end": end,
                "tags": {k: _comparable(v, k, names) for k, v in of_run.items() if not _differs("tags", k)},
                "parameters": dict(params.get(run, ())),
                "datasets": sorted(map(list, datasets.get(run, ()))),
                "metrics": sorted(
                    [k, step, None if nan or _differs("values of metrics", k) else value, at]
                    for k, step, value, nan, at in metrics.get(run, ())
                ),
                "artifacts": _list_artifacts(place, artifacts),
            }
        )
    return stored


def _by_run(rows: list[tuple]) -> dict[str, list[tuple]]:
    found: dict[str, list[tuple]] = {}
    for run, *row in rows:
        found.setdefault(run, []).append(tuple(row))
    return found


def _differs(what: str, key: str) -> bool:
    return re.fullmatch(MAY_DIFFER[what], key) is not None


def _comparable(value: str, key: str, names: dict[str, str]) -> str:
    if key == "mlflow.parentRunId":
        return names.get(value, f"no active run: {value}")
    return re.sub(MAY_DIFFER["words in descriptions"], "", value or "").strip()


def _list_artifacts(place: str, artifacts: Path) -> list[str]:
    """Return the names of a run's artifacts; ``place`` ends with experiment, run and ``artifacts``."""
    folder = artifacts.joinpath(*place.rstrip("/").split("/")[-3:])
    names = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not _differs("artifacts", name))


def compare_run(found: dict, expected: dict) -> dict[str, list[str]]:
    """Return the differences between two runs: steps that are lost or doubled, and everything else."""
    rows = Counter((key, step) for key, step, *_ in found["metrics"])
    wanted = Counter((key, step) for key, step, *_ in expected["metrics"])
    values = {(key, step): value for key, step, value, _ in found["metrics"]}
    other = [
        f"{key} at step {step}: {values[key, step]} for {value}"
        for key, step, value, _ in expected["metrics"]
        if (key, step) in values and values[key, step] != value
    ]
    for part in PARTS:
        if part != "metrics" and found[part] != expected[part]:
            other.append(f"{part}: {_difference(found[part], expected[part])}")
    return {
        "lost": [f"{key} at step {step}" for key, step in wanted - rows],
        "doubled": [f"{key} at step {step}" for key, step in rows - wanted],
        "differ": other,
    }


def compare_history(run: dict, history: dict) -> dict[str, list[str]]:
    """Return the differences between the metrics of a trial's run and its history, in the form of `compare_run`."""
    rows = Counter((key, step) for key, step, *_ in run["metrics"] if not key.startswith(("cost/", "system/")))
    stored = {(key, step): value for key, step, value, _ in run["metrics"]}
    wanted = {(key, epoch["epoch"]): value for epoch in history["epochs"] for key, value in epoch["metrics"].items()}
    epochs = {step for _, step in wanted}
    return {
        "lost": [f"{key} at step {step}" for key, step in wanted.keys() - rows.keys()],
        "doubled": [f"{key} at step {step}" for (key, step), n in rows.items() if n > 1 or step not in epochs],
        "differ": [
            f"{key} at step {step}: {stored[key, step]} for {value}"
            for (key, step), value in wanted.items()
            if (key, step) in rows and not _differs("values of metrics", key) and stored[key, step] != value
        ],
    }


def _difference(found: object, expected: object) -> str:
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = sorted(key for key in found | expected if found.get(key) != expected.get(key))
        return "; ".join(f"{key} is {found.get(key)!r} for {expected.get(key)!r}" for key in keys)
    return f"{found!r} for {expected!r}"


def wrong_times(run: dict, attempts: list[int]) -> list[str]:
    """Return what is wrong with the start and the end of a finished trial's run.

    Args:
        attempts: When the trial's attempts began, in milliseconds since 1970.
    """
    measured = [at for key, _, _, at in run["metrics"] if not key.startswith(("cost/", "system/"))]
    wrong = []
    if run["start"] != min(attempts):
        wrong.append(f"the run starts {run['start'] - min(attempts)} ms after its first attempt")
    if run["end"] != max(measured):
        wrong.append(f"the run ends {(run['end'] or 0) - max(measured)} ms after its last epoch")
    return wrong


def to_json(stored: dict) -> str:
    return json.dumps(stored)
