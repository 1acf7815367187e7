"""What a trial of several workers has to declare, and that ids hold it."""

import pytest
from pydantic import ValidationError

from harness.errors import HarnessError
from harness.specs import Recipe, Resources
from harness.specs.experiment.data_parallel import require_workers

GROUP, BATCH = {"norm": "group"}, {"norm": "batch"}


def _variant(catalogue, **changes):
    return type(catalogue.get("cifar-resnet20"))(**{**catalogue.get("cifar-resnet20").model_dump(), **changes})


def _require(catalogue, variant, recipe, **resources):
    require_workers([_variant(catalogue, **variant)], Recipe(**{"epochs": 2, "batch": 128, "lr": 0.1, **recipe}),
                    Resources(**resources))  # fmt: skip


@pytest.mark.parametrize(
    ("variant", "recipe", "resources"),
    [
        (BATCH, {}, {}),
        (GROUP, {}, {"workers": 2}),
        (GROUP, {"micro_batch": 16}, {"workers": 2}),
        (BATCH, {"worker_batch": 64}, {"workers": 2}),
        (BATCH, {"sync_norm": True}, {"workers": 2, "gpus": 1}),
        ({**GROUP, "stochastic_depth": 0.5}, {"worker_batch": 32}, {"workers": 4}),
    ],
)
def test_these_are_fine(catalogue, variant, recipe, resources):
    _require(catalogue, variant, recipe, **resources)


@pytest.mark.parametrize(
    ("variant", "recipe", "resources", "says"),
    [
        (BATCH, {}, {"workers": 2}, "sees 64 of the 128 images .*worker_batch=64"),
        ({**GROUP, "stochastic_depth": 0.5}, {}, {"workers": 2}, "sees 64 of the 128"),
        ({**BATCH, "stochastic_depth": 0.5}, {"sync_norm": True}, {"workers": 2, "gpus": 1}, "sees 64 of the 128"),
        (BATCH, {"worker_batch": 32}, {"workers": 2}, "takes 64 images .* not 32. Declare 64, or .*workers=4"),
        (BATCH, {"worker_batch": 64}, {}, "trials of 2 workers are declared, and they get one"),
        (GROUP, {}, {"workers": 3}, "3 workers cannot share a batch of 128"),
        (GROUP, {}, {"workers": 128}, "with 2 images each"),
        (GROUP, {"micro_batch": 128}, {"workers": 2}, "do not divide the 64 images"),
        (BATCH, {"sync_norm": True}, {"workers": 2}, "SyncBatchNorm runs on GPUs only"),
        (BATCH, {"sync_norm": True}, {"gpus": 1}, "there is one worker"),
    ],
)
def test_these_are_refused(catalogue, variant, recipe, resources, says):
    with pytest.raises(HarnessError, match=says):
        _require(catalogue, variant, recipe, **resources)


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        (Resources, {"gpus": 2}, "gpus: 1, workers: 2"),
        (Resources, {"gpus": 0.5, "workers": 2}, "a GPU of its own"),
        (Resources, {"accelerator": "H200"}, "goes with gpus"),
        (Resources, {"accelerator": "H 200", "gpus": 1}, "pattern"),
        (Recipe, {"worker_batch": 60}, "must divide batch"),
        (Recipe, {"sync_norm": True, "micro_batch": 32}, "choose one"),
    ],
)
def test_fields_that_do_not_agree(kind, fields, says):
    common = {"epochs": 2, "batch": 128, "lr": 0.1} if kind is Recipe else {}
    with pytest.raises(ValidationError, match=says):
        kind(**common, **fields)


def test_what_a_worker_sees_is_in_the_identity():
    """And resources are not: a GroupNorm trial on two workers is the trial on one."""
    plain, shared = Recipe(epochs=2, batch=128, lr=0.1), Recipe(epochs=2, batch=128, lr=0.1, worker_batch=64)
    assert plain.identity() == {"epochs": 2, "batch": 128, "lr": 0.1}
    assert shared.identity() == {**plain.identity(), "worker_batch": 64}
