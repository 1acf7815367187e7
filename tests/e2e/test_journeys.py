"""Whole sequences of commands, with real trials."""

import json
from pathlib import Path

import pytest

EIGHT = list(range(100, 108))


def _files(directory):
    return {path.relative_to(directory): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_report_from_a_second_run_the_record_or_the_csv_has_the_same_bytes(harness, experiment_file, tmp_path):
    """A second run, the record alone, and results.csv in an empty directory give the report of the first run."""
    path = experiment_file(seeds=EIGHT)
    first = harness("run", path, "--launcher", "inline")
    assert first.returncode == 0, first.stderr
    assert "32 of 32 trials to run" in first.stdout
    assert "within this budget" in first.stdout
    assert "Report: reports/quick/README.md" in first.stdout
    reports = tmp_path / "work" / "reports"
    first_files = _files(reports)
    assert {"README.md", "results.csv", "depth.svg", "depth.png"} <= {path.name for path in first_files}

    second = harness("run", path, "--launcher", "inline")
    assert second.returncode == 0
    assert "nothing to train, all 32 trials are recorded" in second.stdout
    assert _files(reports) == first_files

    rerun = harness("run", "reports/quick/experiment.yaml", "--launcher", "inline")
    assert "nothing to train, all 32 trials are recorded" in rerun.stdout, rerun.stderr
    assert _files(reports) == first_files

    elsewhere = tmp_path / "elsewhere"
    done = harness("report", reports / "quick" / "results.csv", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert _files(elsewhere / "reports") == first_files
    assert not (elsewhere / ".depthbench").exists()

    _check_report_without_training_code(harness, tmp_path, first_files)

    more = harness("run", path, "--seeds", "9", "--launcher", "inline")
    assert more.returncode == 0, more.stderr
    assert "4 of 36 trials to run" in more.stdout
    assert "already computed with 8 seeds" in more.stderr
    assert "within this budget (2 epochs) on digits, exploratory: " in more.stdout


def _check_report_without_training_code(harness, tmp_path, first_files):
    """Check that ``harness report`` works where torch, ray and the training code cannot be imported."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(
        "import sys\n"
        "class ImportHook:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'ray', 'torchvision') or name.startswith(\n"
        "            ('harness.training', 'harness.models', 'harness.execution', 'harness.launchers',\n"
        "             'harness.data')):\n"
        "            raise ImportError(f'{name} may not be imported')\n"
        "sys.meta_path.insert(0, ImportHook())\n"
    )
    repository = Path(__file__).resolve().parents[2]
    env = {"PYTHONPATH": f"{hooks}:{repository}"}
    blocked = harness("run", "quickstart", "--set", "name=x", "--launcher", "inline", env=env)
    assert blocked.returncode != 0, "the import hook does not work"
    done = harness("report", "quick", env=env)
    assert done.returncode == 0, done.stderr
    assert _files(tmp_path / "work" / "reports") == first_files


@pytest.mark.slow
def test_run_on_a_folder_of_images_needs_no_code(harness, image_folder, tmp_path):
    options = ["--data-root", image_folder(), "--set", "variants.set.widths=[2,4,8]", "--set", "recipe.epochs=2"]
    options += ["--set", "recipe.batch=16", "--seeds", "1-2", "--launcher", "inline"]
    done = harness("run", "own-images", *options)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "work" / "reports" / "own-images" / "README.md").read_text()
    assert "cifar-resnet20-w2" in text
    assert "imagefolder" in text
    assert str(tmp_path) not in text


def test_plan_of_an_experiment_prints_its_trials_and_writes_nothing(harness, experiment_file, tmp_path):
    path = experiment_file()
    done = harness("plan", path)
    assert done.returncode == 0, done.stderr
    assert "8 to run" in done.stdout
    assert "2 seeds give no verdict" in done.stdout
    plan = json.loads(harness("plan", path, "--json").stdout)
    assert len(plan["trials"]) == 8 and plan["seconds"] > 0
    assert list((tmp_path / "work").iterdir()) == []


def test_reading_commands_with_json_print_valid_json(harness):
    listed = json.loads(harness("variants", "--json").stdout)
    costs = {row["name"]: (row["parameters"], row["macs"]) for row in listed}
    assert costs["resnet50"] == (25557032, 4089184256)
    assert costs["cifar-plain1202"] == costs["cifar-resnet1202"]
    inspected = json.loads(harness("inspect", "plain34", "--json").stdout)
    assert (inspected["depth"], inspected["parameters"]) == (34, 21623848)
    schema = json.loads(harness("schema").stdout)
    assert {"variants", "recipe", "seeds"} <= set(schema["required"])
    families = json.loads(harness("schema", "family").stdout)
    assert {"members", "kind"} <= {key for d in families["$defs"].values() for key in d.get("properties", ())}
    states = {row["what"]: row["state"] for row in json.loads(harness("doctor", "--json").stdout)}
    assert states["torch"] == states["data: digits"] == states["torchvision's compiled operators"] == "ok"
    assert "depthbench" in harness("--version").stdout
    assert harness("run", "--help").returncode == 0


@pytest.mark.slow
@pytest.mark.long
def test_run_with_a_killed_mlflow_server_trains_on_and_the_next_run_publishes(harness, experiment_file, tmp_path):
    """The run trains to its end without the server; the next run publishes the results and trains nothing."""
    import os
    import signal
    import socket
    import subprocess
    import sys
    import time
    import urllib.request

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"

    def serve():
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path}/served.db"]
        command += ["--artifacts-destination", str(tmp_path / "a")]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{uri}/health", timeout=2)
                return server
            except OSError:
                time.sleep(0.5)
        raise AssertionError("the server did not start")

    path = experiment_file(recipe={"epochs": 40, "batch": 64, "lr": 0.05}, seeds=[100], execution={"drain_seconds": 2})
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    work = tmp_path / "work"
    work.mkdir()
    server = serve()
    command = [sys.executable, "-m", "harness", "run", str(path), "--launcher", "inline", "--tracking-uri", uri]
    running = subprocess.Popen(command, cwd=work, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("[1/4]"):
            os.killpg(server.pid, signal.SIGKILL)
            break
    output, errors = running.communicate(timeout=200)
    assert "[4/4]" in output
    assert running.returncode == 1
    assert "run the same command again" in errors or "cannot be reached" in errors
    server = serve()
    try:
        done = harness("run", path, "--launcher", "inline", "--tracking-uri", uri)
        assert done.returncode == 0, done.stderr
        assert "nothing to train" in done.stdout
        assert "1 seed" in (work / "reports" / "quick" / "README.md").read_text()
    finally:
        os.killpg(server.pid, signal.SIGKILL)
