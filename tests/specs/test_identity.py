"""Identity: what is in it, what is not, and that pinned ids never change."""

import pytest

from harness.specs import DataSpec, Recipe, Trial
from harness.specs.identity import canonical, digest


def _trial(catalogue, **changes):
    fields = {
        "variant": catalogue.get("cifar-resnet20"),
        "data": DataSpec(name="digits", fingerprint="4762797d5258adf1"),
        "recipe": Recipe(epochs=10, batch=128, lr=0.05),
        "seed": 10,
    }
    return Trial(**{**fields, **changes})


def test_pinned_ids(catalogue):
    """Were one of these to change, every user's record would be trained again: raise SEMANTICS instead, knowingly."""
    assert _trial(catalogue).id == "803852b0e328"
    assert _trial(catalogue, seed=11).id == "0c8d8a06d730"
    assert (
        _trial(
            catalogue, variant=catalogue.get("plain50"), recipe=Recipe(epochs=90, batch=256, lr=0.1, schedule="step")
        ).id
        == "e7081b62eba9"
    )


def test_names_places_and_defaults_are_not_in_it(catalogue):
    plain = _trial(catalogue)
    variant = plain.variant.model_copy(update={"name": "another", "family": "else"})
    data = plain.data.model_copy(update={"root": "/elsewhere"})
    recipe = Recipe(epochs=10, batch=128, lr=0.05, momentum=0.9, schedule="cosine")
    assert _trial(catalogue, variant=variant, data=data, recipe=recipe).id == plain.id


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
def test_what_decides_results_is_in_it(catalogue, changes):
    assert _trial(catalogue, **changes).id != _trial(catalogue).id


def test_depth_and_blocks_are_one_identity(catalogue):
    by_name = catalogue.get("cifar-resnet20")
    spelt_out = type(by_name)(
        stem="conv3x3", block="basic", blocks=[3, 3, 3], widths=[16, 32, 64], shortcut="identity", classes=10
    )
    assert by_name.identity() == spelt_out.identity()


def test_canonical_json_has_one_spelling():
    assert canonical({"b": 1, "a": [1.0, None]}) == '{"a":[1.0,null],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    with pytest.raises(ValueError, match="Out of range"):
        canonical(float("nan"))
