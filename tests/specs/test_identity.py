"""Identity: which fields it contains, and that the ids of some trials never change."""

import pytest

from harness.specs import DataSpec, Recipe, Trial
from harness.specs.identity import canonical, digest


def make_trial(catalogue, **changes):
    fields = {
        "variant": catalogue.get("cifar-resnet20"),
        "data": DataSpec(name="digits", fingerprint="4762797d5258adf1"),
        "recipe": Recipe(epochs=10, batch=128, lr=0.05),
        "seed": 10,
    }
    return Trial(**{**fields, **changes})


def test_trial_ids_do_not_change(catalogue):
    """With other ids every recorded trial would be trained again. If a fix must change results, raise SEMANTICS."""
    assert make_trial(catalogue).id == "803852b0e328"
    assert make_trial(catalogue, seed=11).id == "0c8d8a06d730"
    recipe = Recipe(epochs=90, batch=256, lr=0.1, schedule="step")
    assert make_trial(catalogue, variant=catalogue.get("plain50"), recipe=recipe).id == "e7081b62eba9"


def test_identity_contains_no_names_paths_and_defaults(catalogue):
    plain = make_trial(catalogue)
    variant = plain.variant.model_copy(update={"name": "another", "family": "else"})
    data = plain.data.model_copy(update={"root": "/elsewhere"})
    recipe = Recipe(epochs=10, batch=128, lr=0.05, momentum=0.9, schedule="cosine")
    assert make_trial(catalogue, variant=variant, data=data, recipe=recipe).id == plain.id


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 11},
        {"recipe": Recipe(epochs=11, batch=128, lr=0.05)},
        {"recipe": Recipe(epochs=10, batch=128, lr=0.05, precision="bf16")},
        {"data": DataSpec(name="digits", fingerprint="0000000000000000")},
        {"data": DataSpec(name="digits", fingerprint="4762797d5258adf1", split_seed=1)},
    ],
)
def test_identity_contains_fields_that_decide_results(catalogue, changes):
    assert make_trial(catalogue, **changes).id != make_trial(catalogue).id


def test_identity_is_the_same_for_a_named_variant_and_its_fields(catalogue):
    by_name = catalogue.get("cifar-resnet20")
    by_fields = type(by_name)(
        stem="conv3x3", block="basic", blocks=[3, 3, 3], widths=[16, 32, 64], shortcut="identity", classes=10
    )
    assert by_name.identity() == by_fields.identity()


def test_canonical_json_does_not_depend_on_the_order_of_keys():
    assert canonical({"b": 1, "a": [1.0, None]}) == '{"a":[1.0,null],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})


def test_canonical_json_refuses_nan():
    with pytest.raises(ValueError, match="Out of range"):
        canonical(float("nan"))
