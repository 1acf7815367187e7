"""Archives: a damaged or compressed archive is refused."""

import zipfile
from io import BytesIO

import pytest

from harness.errors import HarnessError
from harness.io.archives import pack_archive, read_member


def test_read_member_returns_what_was_packed():
    archive = pack_archive({"a": b"one", "b": b"two"})
    assert read_member(BytesIO(archive), "b", "here") == b"two"


def test_read_member_refuses_content_that_does_not_match_its_checksum():
    archive = pack_archive({"a": b"one"})
    # The zip's own checksum is changed too, so that only ours can find the damage.
    damaged = BytesIO()
    with zipfile.ZipFile(BytesIO(archive)) as source, zipfile.ZipFile(damaged, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"two" if name == "a" else source.read(name))
    with pytest.raises(HarnessError, match="the checksum of a does not match"):
        read_member(damaged, "a", "here")


@pytest.mark.parametrize("cut", [0, 10, 60])
def test_read_member_refuses_a_truncated_archive(cut):
    with pytest.raises(HarnessError, match="not a readable archive") as error:
        read_member(BytesIO(pack_archive({"a": b"one"})[:cut]), "a", "here")
    assert error.value.where == "here"


def test_read_member_refuses_a_compressed_archive():
    compressed = BytesIO()
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"0" * 1000)
    with pytest.raises(HarnessError, match="is compressed"):
        read_member(compressed, "a", "here")
