import pytest
import torch

from harness.data.description import count_steps_per_epoch, describe_data
from harness.data.loader import BatchLoader, Shard, split_into_batches
from harness.data.splits import load_splits
from harness.specs import DataSpec, Recipe

RECIPE = Recipe(epochs=1, batch=32, lr=0.1, augment="crop-flip", crop_padding=1)


@pytest.fixture
def digits():
    """The batches of the digits' training images."""
    splits = load_splits(describe_data(DataSpec(name="digits"))[1])
    return BatchLoader(splits.train, splits, torch.contiguous_format, torch.device("cpu"))


def labels_of(batches):
    return torch.cat([labels for _, labels in batches])


def test_batches_have_mean_0_and_deviation_1(digits):
    images = torch.cat([images for images, _ in digits.evaluation_batches()])
    assert images.mean().item() == pytest.approx(0, abs=1e-5)
    assert images.std().item() == pytest.approx(1, abs=1e-3)


def test_order_of_an_epoch_depends_on_seed_and_epoch(digits):
    first = labels_of(digits.training_batches(RECIPE, seed=1, epoch=1))
    assert torch.equal(labels_of(digits.training_batches(RECIPE, seed=1, epoch=1)), first)
    assert not torch.equal(labels_of(digits.training_batches(RECIPE, seed=1, epoch=2)), first)
    assert not torch.equal(labels_of(digits.training_batches(RECIPE, seed=2, epoch=1)), first)


def test_order_of_an_epoch_does_not_depend_on_augmentation(digits):
    plain = RECIPE.model_copy(update={"augment": "none"})
    augmented, other = (labels_of(digits.training_batches(recipe, 1, 1)) for recipe in (RECIPE, plain))
    assert torch.equal(augmented, other)


def test_epoch_from_a_later_step_gives_the_rest_of_the_epoch(digits):
    whole = list(digits.training_batches(RECIPE, 1, 1))
    rest = list(digits.training_batches(RECIPE, 1, 1, steps=range(40, len(whole))))
    assert len(rest) == len(whole) - 40
    assert all(torch.equal(a[0], b[0]) for a, b in zip(rest, whole[40:], strict=True))


def test_shards_of_the_workers_add_up_to_the_batch():
    index = torch.arange(7)
    parts = [Shard(rank, 3).select(index, least=2) for rank in range(3)]
    assert [len(part) for part in parts] == [3, 2, 2]
    assert torch.equal(torch.cat(parts), index)


def test_shard_of_a_batch_that_is_too_small_is_the_whole_batch():
    assert torch.equal(Shard(1, 3).select(torch.arange(5), least=2), torch.arange(5))


@pytest.mark.parametrize(("images", "batch", "steps"), [(10, 5, 2), (11, 5, 2), (12, 5, 3), (5, 5, 1), (3, 5, 1)])
def test_split_into_batches_drops_a_single_image_that_is_left_over(images, batch, steps):
    batches = split_into_batches(torch.arange(images), batch)
    assert len(batches) == steps == count_steps_per_epoch(images, batch)
    assert all(len(part) > 1 for part in batches)
