import pytest
import torch

from harness.errors import HarnessError
from harness.training.memory import explain_oom, is_exhausted, split_into_micro_batches

CPU_MESSAGE = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes. Error code 12"


def raise_in_block(trial, message, **options):
    with explain_oom(trial, (8, 8), **options):
        raise RuntimeError(message)


@pytest.mark.parametrize(
    ("batch", "micro_batch", "remedy"),
    [(64, None, "recipe.micro_batch=32"), (64, 16, "recipe.micro_batch=8"), (2, None, "smaller network")],
)
def test_exhausted_memory_suggests_a_smaller_divisor_of_the_batch(trial, batch, micro_batch, remedy):
    with pytest.raises(HarnessError, match=remedy) as caught:
        raise_in_block(trial(batch=batch, micro_batch=micro_batch), CPU_MESSAGE)
    assert f"{micro_batch or batch} images at once" in caught.value.what


@pytest.mark.parametrize(("seeds", "remedy"), [(8, "seeds_together=4"), (2, "seeds_together=off")])
def test_exhausted_memory_of_a_seed_ensemble_suggests_fewer_seeds(trial, seeds, remedy):
    with pytest.raises(HarnessError, match=remedy):
        raise_in_block(trial(), CPU_MESSAGE, seeds=seeds)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("DataLoader worker (pid 123) is killed by signal: Killed.", r"process 123\) was killed by the system"),
        ("DataLoader worker (pid(s) 1, 2) exited unexpectedly", r"process 1, 2\) ended unexpectedly"),
    ],
)
def test_death_of_a_data_worker_is_explained(trial, message, expected):
    with pytest.raises(HarnessError, match=expected):
        raise_in_block(trial(), message)


def test_other_errors_pass_unchanged(trial):
    with pytest.raises(RuntimeError, match=r"^shape mismatch$"):
        raise_in_block(trial(), "shape mismatch")


@pytest.mark.parametrize(
    ("error", "expected"),
    [(MemoryError(), True), (RuntimeError("CUDA out of memory"), True), (RuntimeError("shape mismatch"), False)],
)
def test_is_exhausted_recognises_the_errors_of_torch(error, expected):
    assert is_exhausted(error) is expected


@pytest.mark.parametrize(
    ("images", "size", "parts"),
    [(9, None, [9]), (8, 4, [4, 4]), (10, 4, [4, 4, 2]), (9, 4, [4, 5]), (3, 4, [3]), (5, 4, [5])],
)
def test_split_into_micro_batches_adds_a_single_rest_to_the_part_before(images, size, parts):
    split = split_into_micro_batches(torch.zeros(images, 1), torch.zeros(images), size)
    assert [len(part) for part, _ in split] == parts
