"""Families of variants: their depth rules, and files that are refused."""

import pytest
import yaml

from harness.errors import HarnessError
from harness.specs import Catalogue, DataInfo, load_experiment, resolve
from harness.specs.catalogue.families import load_family

DIGITS = DataInfo(name="digits", fingerprint="x", channels=1, classes=10, size=(8, 8), train=1437, val=0, test=360)
FAMILY = {
    "family": "fuzz",
    "input_size": 8,
    "base": {"stem": "conv3x3", "block": "basic", "widths": [2, 4], "shortcut": "projection"},
    "depth": {"basic": "4n+2"},
    "members": {"fuzz6": {"depth": 6}},
    "twin": {"prefix": "flat"},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": {"fuzz6": {"depth": "six"}}}, "'six' is not a depth"),
        ({"members": {"fuzz6": {"depth": [6]}}}, "is not a depth"),
        ({"members": {"fuzz6": {"depth": True}}}, "is not a depth"),
        ({"members": {"fuzz6": {"depth": 7}}}, "no network of depth 7"),
        ({"members": {"fuzz6": {"depth": 6, "widths": 5}}}, "members.fuzz6.widths"),
        ({"members": {"a[/red]": {"depth": 6}}}, "a[/red]"),
        ({"members": {"": {"depth": 6}}}, "at least 1 character"),
        ({"depth": {"basic": "9" * 5000 + "n+1"}}, "is not a depth rule"),
        ({"depth": {"basic": "4n+" + "9" * 5000}}, "is not a depth rule"),
        ({"depth": {"basic": "4n+3"}, "members": {"fuzz7": {"depth": 7}}}, "network of depth 6 for depth 7"),
        ({"twin": {"prefix": "fuzz"}}, "the same prefix"),
        ({"twin": {"prefix": "flat", "shortcut": "diagonal"}}, "no shortcut type"),
        ({"family": ""}, "at least 1 character"),
        ({"input_size": -5}, "greater than 0"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_load_family_refuses_an_invalid_file_with_its_path(tmp_path, changes, message):
    path = tmp_path / "fuzz.yaml"
    path.write_text(yaml.safe_dump({**FAMILY, **changes}))
    with pytest.raises(HarnessError) as error:
        load_family(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_load_family_names_the_line_of_an_invalid_member(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "family: bad\ninput_size: 8\nbase: {stem: conv3x3, block: basic, widths: [4, 8], shortcut: none}\n"
        "members:\n  bad4: {blocks: [1]}\ntwin: {prefix: worse}\n"
    )
    with pytest.raises(HarnessError, match="blocks has 1 entries") as error:
        load_family(path)
    assert error.value.where.startswith(f"{path}:5")


@pytest.fixture
def experiment_of_family(tmp_path, monkeypatch, experiment_file):
    """Resolve an experiment with variants of a family that has no default shortcut."""
    (tmp_path / "variants").mkdir()
    base = {key: value for key, value in FAMILY["base"].items() if key != "shortcut"}
    text = yaml.safe_dump({**FAMILY, "base": base, "members": {}})
    (tmp_path / "variants" / "fuzz.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)

    def resolve_selection(**selection):
        variants = {"family": "fuzz", "depth": 6, **selection}
        experiment, document = load_experiment(experiment_file(variants=variants, contrasts=None))
        return resolve(experiment, document, Catalogue.load(), DIGITS)

    return resolve_selection


def test_family_without_a_default_shortcut_needs_one_in_the_selection(experiment_of_family):
    with pytest.raises(HarnessError, match="has no default shortcut"):
        experiment_of_family()


def test_family_without_a_default_shortcut_names_its_variants_after_the_selected_ones(experiment_of_family):
    variants = experiment_of_family(shortcut=["none", "projection"]).variants
    assert [variant.name for variant in variants] == ["flat6", "fuzz6-projection"]


@pytest.mark.parametrize("depth", [164, 1001, 110])
def test_find_depth_of_a_member_returns_the_member(catalogue, depth):
    family = catalogue.family("cifar-preresnet")
    fields, name = family.find_depth(depth)
    assert family.variant(fields, name) == catalogue.get(f"cifar-preresnet{depth}")


def test_find_depth_of_another_depth_applies_the_depth_rule(catalogue):
    assert catalogue.family("cifar-preresnet").find_depth(1004)[1] == "cifar-preresnet1004"
