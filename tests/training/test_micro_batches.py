import pytest
import torch
from torch import nn
from training_helpers import train

from harness.specs import Execution, Resources
from harness.training.micro_batches import split_into_micro_batches
from harness.training.trainer import Trainer


@pytest.mark.parametrize(
    ("images", "size", "parts"),
    [(9, None, [9]), (8, 4, [4, 4]), (10, 4, [4, 4, 2]), (9, 4, [4, 5]), (3, 4, [3]), (5, 4, [5])],
)
def test_split_into_micro_batches_adds_a_single_rest_to_the_part_before(images, size, parts):
    split = split_into_micro_batches(torch.zeros(images, 1), torch.zeros(images), size)
    assert [len(part) for part, _ in split] == parts


def test_gradients_of_micro_batches_add_up_to_the_gradient_of_the_batch(trial):
    """Compared to float tolerance, with BatchNorm in evaluation mode, where it does not depend on the batch."""

    def gradient(size):
        trainer = Trainer(trial(micro_batch=size, lr=1e-9), Execution(), Resources())
        trainer.network.train = lambda mode=True: nn.Module.train(trainer.network, False)
        train(trainer, epochs=1)
        return torch.cat([parameter.grad.flatten() for parameter in trainer.network.parameters()])

    torch.testing.assert_close(gradient(16), gradient(None), rtol=1e-4, atol=1e-5)
