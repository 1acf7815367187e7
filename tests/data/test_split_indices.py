import numpy as np
import pytest

from harness.data.split_indices import split_indices
from harness.errors import HarnessError
from harness.specs import DataSpec

LABELS = np.repeat(np.arange(4), 50)
SPEC = DataSpec(name="digits", test_fraction=0.2, val_fraction=0.25)


def test_splits_are_stratified_and_have_no_image_in_common():
    train, val, test = split_indices(SPEC, LABELS, has_test=False)
    assert sorted([*train, *val, *test]) == list(range(200))
    assert [np.bincount(LABELS[part]).tolist() for part in (train, val, test)] == [[30] * 4, [10] * 4, [10] * 4]


def test_splits_depend_on_the_split_seed():
    other_seed = SPEC.model_copy(update={"split_seed": 1})
    train, other = (split_indices(spec, LABELS, has_test=False)[0] for spec in (SPEC, other_seed))
    assert not np.array_equal(train, other)


def test_split_indices_of_a_data_set_with_a_test_split_holds_out_no_test_images():
    assert len(split_indices(SPEC, LABELS, has_test=True)[2]) == 0


@pytest.fixture
def drawn(cache):
    """A split, and the file of the cache that holds it."""
    split = split_indices(SPEC, LABELS, has_test=False)
    (file,) = (cache / "splits").iterdir()
    return split, file


def test_split_indices_reads_a_cached_split(drawn):
    split, file = drawn
    np.savez(file, train=split[0][:5], val=split[1], test=split[2])
    assert np.array_equal(split_indices(SPEC, LABELS, has_test=False)[0], split[0][:5])


def test_split_indices_draws_again_where_the_cached_split_is_damaged(drawn):
    split, file = drawn
    file.write_bytes(file.read_bytes()[:-20])
    again = split_indices(SPEC, LABELS, has_test=False)
    assert all(np.array_equal(a, b) for a, b in zip(split, again, strict=True))


def test_split_indices_of_other_labels_are_others(drawn):
    split, _ = drawn
    assert not np.array_equal(split[0], split_indices(SPEC, LABELS[::-1] % 3, has_test=False)[0])


def test_split_indices_refuses_a_class_that_is_too_small():
    with pytest.raises(HarnessError, match=r"fewer images than the 4 classes"):
        split_indices(SPEC, np.arange(4), has_test=False)
