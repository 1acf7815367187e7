"""A job is sent only to a head with the same versions and with room on its disk."""

import pytest

from harness.clusters.remote.compatibility import require_compatible
from harness.clusters.remote.probe import describe_machine
from harness.errors import HarnessError


def test_equal_versions_are_accepted(tmp_path):
    ours, file = describe_machine(), tmp_path / "cluster.yaml"
    require_compatible(ours, file, ships_source=False)
    # Ray needs the same minor version of Python only.
    require_compatible({**ours, "python": ours["python"].rpartition(".")[0] + ".99"}, file, ships_source=False)
    require_compatible({**ours, "depthbench": ""}, file, ships_source=True)


@pytest.mark.parametrize(
    ("package", "version", "message"),
    [
        ("ray", "2.0.0", "here and 2.0"),
        ("python", "3.9.1", "here and 3.9"),
        ("depthbench", "0.1.0 (00000000)", "here and 0.1"),
        ("ray", "", "here and not installed"),
    ],
)
def test_unequal_version_is_refused(package, version, message, tmp_path):
    with pytest.raises(HarnessError, match=message):
        require_compatible({**describe_machine(), package: version}, tmp_path / "cluster.yaml", ships_source=False)


def test_head_with_a_full_disk_is_refused(tmp_path):
    with pytest.raises(HarnessError, match="disk of the head is full: 1 MiB are free at /tmp"):
        require_compatible({**describe_machine(), "free": {"/": 2**40, "/tmp": 2**20}}, tmp_path, ships_source=False)
