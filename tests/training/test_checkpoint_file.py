from io import BytesIO
from pathlib import Path

import pytest
import torch

from harness.errors import HarnessError
from harness.io.archives import pack_archive
from harness.io.checkpoint_names import Checkpoint, list_checkpoints
from harness.io.storage import Folder
from harness.training.checkpoint_file import load_state, write_checkpoint


@pytest.fixture
def folder(tmp_path):
    return Folder.from_location(tmp_path)


def load(content):
    return load_state(BytesIO(bytes(content)), "here", torch.device("cpu"))


@pytest.fixture
def content(folder):
    """The bytes of a checkpoint of epoch 3, written after those of epochs 1 and 2."""
    for epoch in (1, 2, 3):
        write_checkpoint(folder, Checkpoint(1, epoch), b"{}", {"epoch": epoch, "weights": torch.ones(3)})
    return folder.read(list_checkpoints(folder)[0].name)


def test_save_keeps_the_last_two_checkpoints(folder, content):
    assert [checkpoint.epoch for checkpoint in list_checkpoints(folder)] == [3, 2]
    assert load(content)["epoch"] == 3


def test_load_state_refuses_a_changed_byte(content):
    damaged = bytearray(content)
    damaged[content.index(b"state.pt") + 500] ^= 0xFF
    with pytest.raises(HarnessError, match="here"):
        load(damaged)


def test_load_state_refuses_a_cut_file(content):
    with pytest.raises(HarnessError, match="not a readable archive"):
        load(content[:100])


def test_load_state_refuses_pickled_objects(tmp_path):
    tensors = BytesIO()
    torch.save({"network": Path(tmp_path)}, tensors)
    content = pack_archive({"history.json": b"{}", "state.pt": tensors.getvalue()})
    with pytest.raises(HarnessError, match="cannot be loaded safely"):
        load(content)


def test_save_stores_only_the_elements_of_a_view(folder):
    """A view of a large tensor would otherwise bring the whole of its storage into the file."""
    write_checkpoint(folder, Checkpoint(1, 1), b"{}", {"weights": torch.ones(1_000_000)[:3]})
    content = folder.read(Checkpoint(1, 1).name)
    assert len(content) < 100_000
    assert torch.equal(load(content)["weights"], torch.ones(3))
