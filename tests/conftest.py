"""Fixtures for the tests of several packages: small experiments, a home, the command line, images, a bucket."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

# These variables are set before MLflow is imported, so that no test uses the user's own store.
os.environ.pop("MLFLOW_TRACKING_URI", None)
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# MLflow servers that tests start do not start a dozen further processes for jobs.
os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")

REPOSITORY = Path(__file__).resolve().parents[1]


LONGEST_FIRST = (
    "tests/multi_host/test_journeys.py",
    "tests/faults/test_faults.py",
    "tests/e2e/test_adaptive.py",
    "tests/e2e/test_bench.py",
    "tests/e2e/test_fault_tolerance.py",
    "tests/reporting/verdicts/test_error_rates.py",
    "tests/reporting/statistics/test_stage_simulations.py",
    "tests/reporting/page/test_scale.py",
    "tests/launchers/test_interleaved_processes.py",
    "tests/trials/test_rerun.py",
)
"""Files whose tests take longest. They begin first, so that no process works alone on them at the end."""
SPLIT = {*LONGEST_FIRST[2:], "tests/e2e/test_reports.py", "tests/e2e/test_earlier_version.py"}
"""Files of long tests that share no fixture, so that several processes can run the tests of one file."""


def pytest_configure(config):
    """Let pytest-xdist begin tests in the order of collection; its own order is by the number of tests in a group."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """Sort the tests of long files to the front."""
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))


def find_group(nodeid):
    """Return the group of a test; one process runs all tests of a group, so that they share fixtures.

    It is the file, for all tests of the lab the lab, because there is only one, and in some files the test itself.
    """
    file = nodeid.partition("::")[0]
    if file.startswith("tests/multi_host/"):
        return "lab"
    return nodeid if file in SPLIT else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give the groups to the processes of pytest-xdist, which need not be there.

    Its marks of groups are not used: pytest-xdist 3.8 ignores them with pytest 9.2 without a word.
    """
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return find_group(nodeid)

    return GroupScheduling(config, log)


QUICK = {
    "name": "quick",
    "question": "Does depth help here?",
    "variants": {
        "family": "cifar-resnet",
        "depth": [8, 14],
        "shortcut": ["none", "identity"],
        "set": {"widths": [2, 4, 8]},
    },
    "data": {"name": "digits", "train_images": 256},
    "recipe": {"epochs": 2, "batch": 64, "lr": 0.05},
    "seeds": [100, 101],
    "contrasts": [{"kind": "degradation", "shallow": 8, "deep": 14, "margin": 1.0}],
}
"""An experiment of eight trials that takes one or two seconds."""


@pytest.fixture(autouse=True)
def keep_denormal_numbers():
    """Switch denormal numbers on after each test, because training switches them off in its process."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture
def bucket(monkeypatch):
    """Start moto as an S3 server for s3fs and boto3; return the URL of an empty bucket."""
    import boto3
    from moto.server import ThreadedMotoServer
    from s3fs import S3FileSystem

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{address}:{port}")
    # s3fs keeps connections to the server of an earlier test.
    S3FileSystem.clear_instance_cache()
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    name = f"bucket-{port}"
    boto3.client("s3").create_bucket(Bucket=name)
    yield f"s3://{name}"
    server.stop()


@pytest.fixture(scope="session")
def catalogue():
    """The catalogue of built-in variants."""
    from harness.specs import Catalogue

    return Catalogue.load()


@pytest.fixture
def experiment_file(tmp_path):
    """Return a function that writes the quick experiment with changed fields as YAML and returns its path."""

    def write(file="quick.yaml", **changes):
        content = {key: value for key, value in {**QUICK, **changes}.items() if value is not None}
        path = tmp_path / file
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write


@pytest.fixture
def quick_study(experiment_file):
    """Return a function that resolves the quick experiment; keyword arguments replace its fields."""
    from harness.api import load_resolved_experiment

    def make(**changes):
        return load_resolved_experiment(str(experiment_file(**changes)))

    return make


@pytest.fixture
def harness(tmp_path):
    """Return a function that runs `harness` in a process of its own, in an empty working directory."""

    def call(*arguments, env=None, cwd=None, timeout=280):
        environment = {**os.environ, "NO_COLOR": "1", **(env or {})}
        environment.setdefault("PYTHONPATH", str(REPOSITORY))
        directory = cwd or tmp_path / "work"
        directory.mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, "-m", "harness", *map(str, arguments)],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return call


@pytest.fixture
def image_folder(tmp_path):
    """Return a function that writes real digits as PNG files, ``each`` images into each of ``classes`` folders."""

    def make(classes=3, each=24, name="images"):
        from PIL import Image
        from sklearn.datasets import load_digits

        digits = load_digits()
        root = tmp_path / name
        for label in range(classes):
            folder = root / f"digit-{label}"
            folder.mkdir(parents=True)
            for number, pixels in enumerate(digits.images[digits.target == label][:each]):
                Image.fromarray((pixels * 15).astype(np.uint8)).resize((20, 16)).save(folder / f"{number:03d}.png")
        return root

    return make


@pytest.fixture(params=["sqlite", "none"])
def settings(request, tmp_path):
    """Settings of an empty home, with the record in MLflow on SQLite or in the checkpoints alone."""
    from harness.settings import Settings

    uri = "none" if request.param == "none" else None
    return Settings(home=tmp_path / "home", tracking_uri=uri, launcher="inline", reports=tmp_path / "reports")


@pytest.fixture
def one_seed_study(quick_study):
    """The quick experiment with its four variants, one seed, and a checkpoint after each step."""
    return quick_study(seeds=[100], execution={"checkpoint_seconds": 0})


@pytest.fixture
def fail_training():
    """Return a function that makes every network raise after ``calls`` forward passes."""

    def patch(monkeypatch, calls):
        from harness.models.network import Network

        original, remaining = Network.forward, iter(range(calls))

        def forward(network, images):
            if next(remaining, None) is None:
                raise RuntimeError("out of [bold]luck")
            return original(network, images)

        monkeypatch.setattr(Network, "forward", forward)

    return patch


@pytest.fixture
def network_factories(tmp_path, monkeypatch):
    """Change to a directory that holds network_factories.py as ``nets.py``; return the directory."""
    import importlib

    (tmp_path / "nets.py").write_bytes((Path(__file__).parent / "network_factories.py").read_bytes())
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("nets", None)
    importlib.invalidate_caches()
