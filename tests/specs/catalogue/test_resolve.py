"""Experiments from YAML: found by name, resolved, and refused with file, line, field and remedy."""

import pytest

from harness.errors import HarnessError, escape_control_characters
from harness.specs import Catalogue, DataInfo, load_experiment, resolve
from harness.specs.catalogue.resolve import find_experiment

DIGITS = DataInfo(name="digits", fingerprint="x", channels=1, classes=10, size=(8, 8), train=1437, val=0, test=360)
RECIPE = {"epochs": 2, "batch": 64, "lr": 0.05}


def resolve_file(path, *overrides):
    experiment, document = load_experiment(path, overrides)
    return resolve(experiment, document, Catalogue.load(), DIGITS)


def refusal(path, *overrides):
    """Return the error of an experiment that is refused."""
    with pytest.raises(HarnessError) as error:
        resolve_file(path, *overrides)
    assert escape_control_characters(str(error.value)) == str(error.value)
    return error.value


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"recipe": {"epochs": 1, "batch": 8, "lr": 0.1, "momentm": 0.9}}, "recipe.momentm", "Did you mean 'momentum'"),
        ({"recipe": {"epochs": 1, "batch": 8}}, "recipe", "'lr' is missing"),
        ({"recipe": {"epochs": 0, "batch": 8, "lr": 0.1}}, "recipe.epochs", "greater than 0"),
        ({"seeds": []}, "seeds", "at least 1"),
        ({"seeds": [1, 1]}, "seeds", "twice"),
        ({"variants": "resnet81"}, "variants", "Did you mean 'resnet18'"),
        ({"variants": {"family": "cifar-resnet", "depth": 21}}, "variants.depth", "nearest depths are 20 and 26"),
        ({"variants": {"family": "cifar-resnet", "depth": 2}}, "variants.depth", "smallest depth is 8"),
        ({"variants": {"family": "resnet", "depth": 26}}, "variants.depth", "set: {blocks"),
        ({"variants": {"family": "cifar-resent", "depth": 20}}, "variants.family", "Did you mean 'cifar-resnet'"),
        (
            {"variants": {"name": "resnet18", "set": {"widths": [8, 16, 32, -1]}}},
            "variants.set.widths",
            "greater than 0",
        ),
        (
            {"variants": {"name": "resnet18", "set": {"classes": 7}}},
            "variants.set.classes",
            "the data set determines classes",
        ),
        ({"variants": ["cifar-resnet20", "cifar-resnet20"], "contrasts": None}, "variants", "twice"),
        (
            {"contrasts": [{"kind": "degradation", "shallow": 8, "deep": 14, "margin": m} for m in (1, 2)]},
            "contrasts",
            "declared twice",
        ),
        (
            {"contrasts": [{"kind": "degradation", "shallow": 8, "deep": 20, "margin": 1}]},
            "contrasts",
            "needs one plain variant of depth 20, and the experiment has none",
        ),
        ({"contrasts": [{"kind": "magic"}]}, "contrasts", "magic"),
        (
            {"contrasts": [{"kind": "difference", "a": "cifar-plain8-w2", "b": "nobody"}]},
            "contrasts",
            "names the variant 'nobody'",
        ),
        ({"name": "../../etc/passwd"}, "name", "pattern"),
        ({"nmae": "x"}, "nmae", "Did you mean 'name'"),
    ],
)
def test_invalid_experiment_is_refused_with_line_field_and_remedy(experiment_file, changes, where, message):
    path = experiment_file(**changes)
    error = refusal(path)
    assert str(error.where).startswith(f"{path}:")
    assert where in error.where
    assert message in str(error)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degradation": 1}, "no field 'degradation'"),
        ({"recipe": {**RECIPE, "difference": 1}}, "no field 'difference'"),
        ({"recipe": {**RECIPE, "epochs": 10**30}}, "recipe.epochs"),
        ({"resources": {"gpus": 5e-324}}, "smallest share"),
        ({"execution": {"drain_seconds": 1e308}}, "drain_seconds"),
        ({"data": {"name": "digits", "split_seed": 2**32}}, "data.split_seed"),
        ({"variants": "cifar-resnet" + "9" * 280}, "there is no variant"),
        ({"variants": "cifar-resnet" + "9" * 5000}, "at most 300 characters"),
        ({"variants": "cifar-resnet٢٠"}, "there is no variant"),
        ({"variants": {"family": "cifar-resnet", "depth": 10_000_002}}, "variants.0.depth.0"),
        (
            {"variants": {"name": "cifar-resnet20", "set": {"blocks": [10_000, 10_000, 10_000]}}},
            "30,000 blocks is too deep",
        ),
        ({"variants": {"name": "cifar-resnet20", "set": {"widths": [10**9] * 3}}}, "variants.set.widths"),
        ({"variants": {"name": "cifar-resnet20", "label": "a\nb"}}, "label"),
        ({"variants": {"name": "cifar-resnet20", "label": "a" * 101}}, "label"),
        ({"seeds": list(range(10_001))}, "seeds"),
        ({"seeds": list(range(9_000))}, "more than 10,000 trials"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_experiment_that_could_not_be_built_is_refused(experiment_file, changes, message):
    assert message in str(refusal(experiment_file(**changes)))


def test_error_names_the_line_of_the_field(experiment_file):
    path = experiment_file(seeds=[])
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if text.startswith("seeds"))
    assert refusal(path).where == f"{path}:{line}, seeds"


def test_several_problems_are_listed_in_one_error(experiment_file):
    error = refusal(experiment_file(seeds=[], recipe={"epochs": 0, "batch": 8, "lr": 0.1}))
    assert error.what.startswith("2 problems\n")
    assert "recipe.epochs" in error.what and ", seeds" in error.what


def test_load_experiment_applies_overrides(experiment_file):
    overrides = ["recipe.lr=1e-3", "variants.set.widths=[3, 6, 9]", "name=other"]
    experiment, _ = load_experiment(experiment_file(), overrides)
    assert (experiment.recipe.lr, experiment.variants[0].set, experiment.name) == (
        0.001,
        {"widths": [3, 6, 9]},
        "other",
    )


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("recipe.lr=-1", "greater than 0"),
        ("recipe.rate=1", "no field 'rate'"),
        ("contrasts.1.margin=0", "does not say which one"),
    ],
)
def test_invalid_override_is_refused_with_its_option(experiment_file, assignment, message):
    error = refusal(experiment_file(), assignment)
    assert "--set" in error.where
    assert message in str(error)


def test_resolve_combines_depths_and_shortcuts_of_a_family(experiment_file):
    resolved = resolve_file(experiment_file())
    assert [v.name for v in resolved.variants] == [
        "cifar-plain8-w2",
        "cifar-plain14-w2",
        "cifar-resnet8-w2",
        "cifar-resnet14-w2",
    ]
    assert resolved.contrast_variants[0] == {
        "plain_shallow": "cifar-plain8-w2",
        "plain_deep": "cifar-plain14-w2",
        "residual_shallow": "cifar-resnet8-w2",
        "residual_deep": "cifar-resnet14-w2",
    }
    assert all(v.in_channels == 1 and v.classes == 10 for v in resolved.variants)
    assert len({trial.id for trial in resolved.trials}) == len(resolved.trials) == 8


def test_resolve_gives_contrasts_the_names_with_the_suffix_of_set(experiment_file):
    contrast = {"kind": "difference", "a": "cifar-resnet14", "b": "cifar-plain14"}
    resolved = resolve_file(experiment_file(contrasts=[contrast]), "variants.set.widths=[3,6,9]")
    assert resolved.contrast_variants == ({"a": "cifar-resnet14-w3", "b": "cifar-plain14-w3"},)
    assert resolved.experiment.contrasts[0].a == "cifar-resnet14-w3"


@pytest.mark.parametrize(
    ("set_fields", "name"),
    [
        ({"widths": [8, 16.0, 32], "norm": "batch"}, "cifar-resnet20-w8"),
        ({"widths": [16.0, 32, 64], "norm": "batch"}, "cifar-resnet20"),
    ],
)
def test_name_of_a_changed_variant_has_a_suffix_of_validated_and_changed_values(experiment_file, set_fields, name):
    variants = {"name": "cifar-resnet20", "set": set_fields}
    assert resolve_file(experiment_file(variants=variants, contrasts=None)).variants[0].name == name


@pytest.mark.parametrize("name", ["a" * 5000 + ".yaml", "a\0b.yaml", "\x1b[31m.yaml", "x/" * 3000 + "y.yml"])
def test_find_experiment_refuses_names_that_no_file_can_have(name):
    with pytest.raises(HarnessError) as error:
        find_experiment(name)
    assert escape_control_characters(str(error.value)) == str(error.value)


def test_find_experiment_of_an_unknown_name_suggests_the_nearest():
    with pytest.raises(HarnessError, match="Did you mean 'quickstart'"):
        find_experiment("quickstrat")


def test_resolve_accepts_ten_thousand_seeds(experiment_file):
    path = experiment_file(variants="cifar-resnet8", contrasts=None, seeds=list(range(10_000)))
    resolved = resolve_file(path)
    assert len(resolved.trials) == 10_000
    again = type(resolved).model_validate_json(resolved.to_record_json())
    assert again.experiment.seeds == resolved.experiment.seeds
