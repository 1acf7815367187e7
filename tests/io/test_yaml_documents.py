"""YAML into specs: what is refused says the file, the line, the field and the remedy."""

import pytest

from harness.errors import HarnessError
from harness.io.yaml_documents import read_document
from harness.specs import Catalogue, DataInfo, load_experiment, resolve
from harness.specs.catalogue.families import load_family

DIGITS = DataInfo(name="digits", fingerprint="x", channels=1, classes=10, size=(8, 8), train=1437, val=0, test=360)


def _refused(path, *overrides):
    with pytest.raises(HarnessError) as caught:
        experiment, document = load_experiment(path, overrides)
        resolve(experiment, document, Catalogue.load(), DIGITS)
    return caught.value


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"recipe": {"epochs": 1, "batch": 8, "lr": 0.1, "momentm": 0.9}}, "recipe.momentm", "Did you mean 'momentum'"),
        ({"recipe": {"epochs": 1, "batch": 8}}, "recipe", "'lr' is missing"),
        ({"recipe": {"epochs": 0, "batch": 8, "lr": 0.1}}, "recipe.epochs", "greater than 0"),
        ({"seeds": []}, "seeds", "at least 1"),
        ({"seeds": [1, 1]}, "seeds", "stands there twice"),
        ({"variants": "resnet81"}, "variants", "Did you mean 'resnet18'"),
        ({"variants": {"family": "cifar-resnet", "depth": 21}}, "variants.depth", "nearest are 20 and 26"),
        ({"variants": {"family": "cifar-resnet", "depth": 2}}, "variants.depth", "smallest is 8"),
        ({"variants": {"family": "resnet", "depth": 26}}, "variants.depth", "set: {blocks"),
        ({"variants": {"family": "cifar-resent", "depth": 20}}, "variants.family", "Did you mean 'cifar-resnet'"),
        (
            {"variants": {"name": "resnet18", "set": {"widths": [8, 16, 32, -1]}}},
            "variants.set.widths",
            "greater than 0",
        ),
        ({"variants": {"name": "resnet18", "set": {"classes": 7}}}, "variants.set.classes", "comes from the data set"),
        ({"variants": ["cifar-resnet20", "cifar-resnet20"], "contrasts": None}, "variants", "stands there twice"),
        (
            {"contrasts": [{"kind": "degradation", "shallow": 8, "deep": 14, "margin": m} for m in (1, 2)]},
            "contrasts",
            "declared twice",
        ),
        (
            {"contrasts": [{"kind": "degradation", "shallow": 8, "deep": 20, "margin": 1}]},
            "contrasts",
            "no plain variant of depth 20",
        ),
        ({"contrasts": [{"kind": "magic"}]}, "contrasts", "magic"),
        ({"contrasts": [{"kind": "difference", "a": "cifar-plain8-w2", "b": "nobody"}]}, "contrasts", "names 'nobody'"),
        ({"name": "../../etc/passwd"}, "name", "pattern"),
        ({"nmae": "x"}, "nmae", "Did you mean 'name'"),
    ],
)
def test_refusals_name_line_field_and_remedy(experiment_file, changes, where, says):
    path = experiment_file(**changes)
    error = _refused(path)
    assert str(error.where).startswith(f"{path}:")
    assert where in error.where
    assert says in str(error)


def test_the_line_is_the_field_s(experiment_file):
    path = experiment_file(seeds=[])
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if text.startswith("seeds"))
    assert _refused(path).where == f"{path}:{line}, seeds"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n- b\n", "a list, not a mapping"),
        ("", "nothing, not a mapping"),
        ("name: [", "not valid YAML"),
        ("name: !!python/object/apply:os.system ['true']\n", "tags that make objects"),
        ("name: a\nname: b\n", "given twice"),
        ("a: &x [*x]\n", "nested deeper than 50"),
    ],
)
def test_files_that_are_no_plain_mapping(tmp_path, text, says):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(HarnessError, match=says):
        load_experiment(path)


def test_missing_file(tmp_path):
    with pytest.raises(HarnessError, match="No such file"):
        read_document(tmp_path / "nowhere.yaml")


def test_overrides(experiment_file):
    path = experiment_file()
    experiment, _ = load_experiment(path, ["recipe.lr=1e-3", "variants.set.widths=[3, 6, 9]", "name=other"])
    assert experiment.recipe.lr == 0.001
    assert experiment.variants[0].set == {"widths": [3, 6, 9]}
    assert experiment.name == "other"


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("recipe.lr", "not an assignment"),
        ("recipe.lr=-1", "greater than 0"),
        ("recipe.rate=1", "no field 'rate'"),
        ("name.x=1", "no fields of its own"),
        ("contrasts.1.margin=0", "not one of its entries"),
    ],
)
def test_bad_overrides_point_at_set(experiment_file, assignment, says):
    error = _refused(experiment_file(), assignment)
    assert "--set" in error.where
    assert says in str(error)


def test_names_in_factorials(catalogue, experiment_file):
    experiment, document = load_experiment(experiment_file())
    study = resolve(experiment, document, catalogue, DIGITS)
    assert [v.name for v in study.variants] == [
        "cifar-plain8-w2",
        "cifar-plain14-w2",
        "cifar-resnet8-w2",
        "cifar-resnet14-w2",
    ]
    assert study.contrast_variants[0] == {
        "plain_shallow": "cifar-plain8-w2",
        "plain_deep": "cifar-plain14-w2",
        "residual_shallow": "cifar-resnet8-w2",
        "residual_deep": "cifar-resnet14-w2",
    }
    assert all(v.in_channels == 1 and v.classes == 10 for v in study.variants)
    assert len({trial.id for trial in study.trials}) == len(study.trials) == 8


def test_a_contrast_finds_variants_that_set_has_renamed(catalogue, experiment_file):
    contrast = {"kind": "difference", "a": "cifar-resnet14", "b": "cifar-plain14"}
    experiment, document = load_experiment(experiment_file(contrasts=[contrast]), ["variants.set.widths=[3,6,9]"])
    study = resolve(experiment, document, catalogue, DIGITS)
    assert study.contrast_variants == ({"a": "cifar-resnet14-w3", "b": "cifar-plain14-w3"},)
    assert study.experiment.contrasts[0].a == "cifar-resnet14-w3"


def test_the_working_directory_wins_over_the_shipped_catalogue(tmp_path, monkeypatch):
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "mine.yaml").write_text(
        "family: cifar-resnet\ninput_size: 8\nbase: {stem: conv3x3, block: basic, widths: [4], shortcut: projection}\n"
        "depth: {basic: 2n+2}\nmembers: {cifar-resnet4: {depth: 4}}\ntwin: {prefix: mine-plain}\n"
    )
    monkeypatch.chdir(tmp_path)
    catalogue = Catalogue.load()
    assert catalogue.get("cifar-resnet6").blocks == (2,)
    assert catalogue.get("mine-plain6").is_plain
    assert catalogue.get("resnet18").depth == 18


def test_a_family_s_bad_member_names_the_file(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "family: bad\ninput_size: 8\nbase: {stem: conv3x3, block: basic, widths: [4, 8], shortcut: none}\n"
        "members:\n  bad4: {blocks: [1]}\ntwin: {prefix: worse}\n"
    )
    with pytest.raises(HarnessError, match="same number") as caught:
        load_family(path)
    assert caught.value.where.startswith(f"{path}:5")


def test_numbers_with_an_exponent_are_numbers(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1e-5\nb: -2.5E+3\nc: .5e1\nd: e5\ne: 1.0\nf: '1e5'\n")
    assert read_document(tmp_path / "a.yaml").data == {"a": 1e-5, "b": -2500.0, "c": 5.0, "d": "e5", "e": 1.0, "f": "1e5"}
