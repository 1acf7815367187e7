"""How pytest-xdist shares the tests among its processes: a file has one process, and long files begin first."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LONGEST_FIRST, SPLIT, find_group

REPOSITORY = Path(__file__).resolve().parents[1]
FILES = ("tests/settings/test_duration.py", "tests/io/test_atomic_files.py")


def test_each_file_is_run_by_one_process():
    """Tests of one file that were spread over processes would each make the fixtures of the file anew."""
    pytest.importorskip("xdist")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-n", "2", "-vv", "-p", "no:cacheprovider", *FILES]
    done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    ran = re.findall(r"\[(gw\d)\].* PASSED (\S+)::", done.stdout)
    assert len(ran) > 8 and {file for _, file in ran} == set(FILES)
    assert len(set(ran)) == len(FILES) == len({process for process, _ in ran})


def test_groups_are_files_and_the_lab_and_single_tests_of_long_files():
    assert find_group("tests/io/test_storage.py::test_x[a::b]") == "tests/io/test_storage.py"
    assert {find_group(f"tests/multi_host/test_{name}.py::test_x") for name in ("lab", "journeys")} == {"lab"}
    assert find_group("tests/e2e/test_adaptive.py::test_x") == "tests/e2e/test_adaptive.py::test_x"


def test_named_files_exist():
    assert all((REPOSITORY / name).is_file() for name in {*LONGEST_FIRST, *SPLIT})
