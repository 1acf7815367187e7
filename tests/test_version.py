"""The version: what the package, its installed source and git say of it."""

import re
from importlib import metadata
from pathlib import Path

import pytest

import harness
from harness.version import __version__, source_revision, source_version

ROOT = Path(__file__).resolve().parents[1]


def test_package_has_the_version_of_its_distribution():
    assert harness.__version__ == __version__ == metadata.version("depthbench")


def test_source_version_has_a_digest_of_the_source():
    assert re.fullmatch(re.escape(__version__) + r" \([0-9a-f]{8}\)", source_version())
    assert source_version() == source_version()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout")
def test_source_revision_of_a_checkout_is_a_git_revision():
    assert re.fullmatch(r"[0-9a-f]{12}\+?", source_revision())
