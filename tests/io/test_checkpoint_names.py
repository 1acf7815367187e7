"""Names of checkpoints: their order from old to new."""

from harness.io.checkpoint_names import Checkpoint, list_checkpoints
from harness.io.storage import Folder


def test_list_checkpoints_orders_by_attempt_before_epoch_and_step(tmp_path):
    folder = Folder.from_location(tmp_path)
    for checkpoint in (Checkpoint(1, 9), Checkpoint(2, 3), Checkpoint(2, 2, 40), Checkpoint(2, 2)):
        folder.write(checkpoint.name, b"")
    folder.write("checkpoint-x.zip", b"")
    assert list_checkpoints(folder) == [Checkpoint(2, 3), Checkpoint(2, 2, 40), Checkpoint(2, 2), Checkpoint(1, 9)]
