"""Data-parallel trials: which recipes fit a number of workers, and which errors explain those that do not."""

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
def test_require_workers_accepts_recipes_that_fit(catalogue, variant, recipe, resources):
    _require(catalogue, variant, recipe, **resources)


@pytest.mark.parametrize(
    ("variant", "recipe", "resources", "message"),
    [
        (BATCH, {}, {"workers": 2}, "sees only 64 of the 128 images .*worker_batch=64"),
        ({**GROUP, "stochastic_depth": 0.5}, {}, {"workers": 2}, "sees only 64 of the 128"),
        ({**BATCH, "stochastic_depth": 0.5}, {"sync_norm": True}, {"workers": 2, "gpus": 1}, "sees only 64 of the 128"),
        (
            BATCH,
            {"worker_batch": 32},
            {"workers": 2},
            "is 32, but each of 2 workers takes 64 .*worker_batch=64, or .*workers=4",
        ),
        (BATCH, {"worker_batch": 64}, {}, "needs 2 workers, but resources.workers is 1"),
        (GROUP, {}, {"workers": 3}, "3 workers cannot share a batch of 128"),
        (GROUP, {}, {"workers": 128}, "at least 2 images each"),
        (GROUP, {"micro_batch": 128}, {"workers": 2}, "micro_batch 128 does not divide the 64 images"),
        (BATCH, {"sync_norm": True}, {"workers": 2}, "SyncBatchNorm runs on GPUs only"),
        (BATCH, {"sync_norm": True}, {"gpus": 1}, "has no effect with one worker"),
    ],
)
def test_require_workers_refuses_recipes_that_do_not_fit(catalogue, variant, recipe, resources, message):
    with pytest.raises(HarnessError, match=message):
        _require(catalogue, variant, recipe, **resources)


@pytest.mark.parametrize(
    ("spec", "fields", "message"),
    [
        (Resources, {"gpus": 2}, "gpus: 1, workers: 2"),
        (Resources, {"gpus": 0.5, "workers": 2}, "needs a whole GPU"),
        (Resources, {"accelerator": "H200"}, "gpus is 0"),
        (Resources, {"accelerator": "H 200", "gpus": 1}, "pattern"),
        (Recipe, {"worker_batch": 60}, "must divide batch"),
        (Recipe, {"sync_norm": True, "micro_batch": 32}, "use only one"),
    ],
)
def test_specs_refuse_fields_that_contradict_each_other(spec, fields, message):
    common = {"epochs": 2, "batch": 128, "lr": 0.1} if spec is Recipe else {}
    with pytest.raises(ValidationError, match=message):
        spec(**common, **fields)


def test_identity_contains_worker_batch():
    plain, shared = Recipe(epochs=2, batch=128, lr=0.1), Recipe(epochs=2, batch=128, lr=0.1, worker_batch=64)
    assert plain.identity() == {"epochs": 2, "batch": 128, "lr": 0.1}
    assert shared.identity() == {**plain.identity(), "worker_batch": 64}
