"""The package of a job holds what the trials need, and is refused if it is too large."""

import pytest

from harness.clusters.remote.packaging import MAX_PACKAGE_BYTES, build_package
from harness.errors import HarnessError


@pytest.fixture
def directory(tmp_path):
    for name in (
        "experiments/own.yaml",
        "variants/own.yaml",
        "factory.py",
        "harness/data/description.py",
        "data/image.png",
        "reports/own/README.md",
        "state/mlflow.db",
        ".git/config",
        ".ssh/id_rsa",
        ".env",
        ".venv/bin/python",
        "images/a.png",
        "harness/__pycache__/x.pyc",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


def test_package_leaves_out_data_reports_store_and_hidden_files(directory):
    excluded = [directory / "state", directory / "reports", directory / "images", None]
    package = build_package(directory, excluded, directory / "experiments/own.yaml")
    assert set(package.files) == {
        "experiments/own.yaml",
        "variants/own.yaml",
        "factory.py",
        "harness/data/description.py",
    }
    # Directories above the working directory, and itself, exclude nothing.
    assert "images/a.png" in build_package(directory, [directory.parent, directory], None).files


def test_package_without_the_experiment_file_is_refused(directory):
    (directory / ".gitignore").write_text("experiments/\n")
    with pytest.raises(HarnessError, match="would not be sent"):
        build_package(directory, [], directory / "experiments/own.yaml")
    assert "factory.py" in build_package(directory, [], None).files


def test_too_large_package_is_refused_with_its_largest_directories(directory):
    with (directory / "images/large.bin").open("wb") as file:
        file.truncate(MAX_PACKAGE_BYTES + 1)
    with pytest.raises(HarnessError, match=r"100 MiB to send, and Ray accepts 100 \(images 100 MiB"):
        build_package(directory, [], None)
    assert build_package(directory, [directory / "images"], None)
