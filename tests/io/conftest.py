"""Folders in every kind of storage: a local directory, and file systems of fsspec."""

import uuid

import pytest

from harness.io.storage import Folder


@pytest.fixture(params=["local", "file url", "memory", "temporary file and move", "s3"])
def folder(request, tmp_path):
    """An empty folder in each kind of storage.

    ``local://`` is fsspec's local file system under a scheme whose files are not known to appear whole.
    """
    if request.param == "s3":
        return Folder.from_location(f"{request.getfixturevalue('bucket')}/trials")
    return {
        "local": Folder.from_location(tmp_path / "trials"),
        "file url": Folder.from_location(f"file://{tmp_path}/trials"),
        "memory": Folder.from_location(f"memory://{uuid.uuid4().hex}/trials"),
        "temporary file and move": Folder.from_location(f"local://{tmp_path}/trials"),
    }[request.param]
