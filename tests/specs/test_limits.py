"""What fuzzing and malice found: each was a traceback, a hang, or raw bytes on the terminal once."""

import os

import pytest
import yaml

from harness.api import load_resolved_experiment, parse_seeds
from harness.errors import HarnessError, escape_control_characters
from harness.io.yaml_documents import MOST_BYTES, read_document
from harness.specs import Catalogue, ResolvedExperiment
from harness.specs.catalogue.families import load_family
from harness.specs.catalogue.resolve import find_experiment
from harness.specs.experiment.interim_looks import seeds_to_reach

RECIPE = {"epochs": 2, "batch": 64, "lr": 0.05}


def _refused(call, *arguments):
    with pytest.raises(HarnessError) as caught:
        call(*arguments)
    assert escape_control_characters(str(caught.value)) == str(caught.value)
    return str(caught.value)


def _laughs(levels, merge):
    """Every level holds the one before ten times: ten to the power of ``levels`` values."""
    lines = ["l0: &l0 {x: 1}" if merge else "l0: &l0 [x]"]
    for level in range(1, levels):
        ten = ", ".join([f"*l{level - 1}"] * 10)
        lines.append(f"l{level}: &l{level} " + (f"{{<<: [{ten}]}}" if merge else f"[{ten}]"))
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (_laughs(12, merge=False), "more than 100,000 values"),
        (_laughs(12, merge=True), "more than 100,000 values"),
        ("a: " + "[" * 100_000, "nested deeper than 50"),
        ("a: " + "[" * 60 + "]" * 60, "nested deeper than 50"),
        ("a: &a {<<: *a}", "nested deeper than 50"),
        ("? [a, b]\n: c", "name of a field is text"),
        (f"{'a' * 1000}: 1", "is no name of a field"),
        ("a: " + "9" * 5000, "more than 70 digits"),
        ("a: 0x" + "f" * 5000, "more than 70 digits"),
        ("a: " + "1:" * 400 + "1.5", "more than 70 digits"),
        ("a: 2020-99-99", "month must be in 1..12"),
        ("a: !!bool x", "not valid YAML"),
        ("a: !!int ''", "not valid YAML"),
        ("a: !!timestamp x", "not valid YAML"),
        ("a: !!set {b, c}", "tags that make objects"),
        ("a: !!binary aGk=", "tags that make objects"),
        ("a: \x1b[31m", "U+001B"),
        (r'a: "\e[31m"', r"control character \x1b"),
        (r'a: "\u202e"', r"control character \u202e"),
        (r'a: "\ud800"', r"control character \ud800"),
        (r'a: "\U00110000"', "not valid YAML"),
        (r'"\e[31m": 1', r"control character \x1b"),
    ],
    ids=lambda value: value[:24].encode("unicode_escape").decode(),
)
def test_yaml_that_explodes_or_steers(tmp_path, experiment_file, text, says):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert says in _refused(read_document, path)
    value = text.partition(": ")[2]
    if text.startswith("a: "):
        assert says in _refused(load_resolved_experiment, str(experiment_file()), [f"notes={value}"])


def test_files_that_are_none(tmp_path, monkeypatch):
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    assert "is not a file" in _refused(read_document, pipe)
    assert "is not a file" in _refused(read_document, tmp_path)
    large = tmp_path / "large.yaml"
    with large.open("wb") as file:
        file.truncate(100 * MOST_BYTES)
    assert "larger than" in _refused(read_document, large)
    (tmp_path / "variants").mkdir()
    os.mkfifo(tmp_path / "variants" / "pipe.yaml")
    monkeypatch.chdir(tmp_path)
    assert "pipe.yaml" in _refused(Catalogue.load)


def test_names_that_no_file_can_have():
    for name in ("a" * 5000 + ".yaml", "a\0b.yaml", "\x1b[31m.yaml", "x/" * 3000 + "y.yml"):
        _refused(find_experiment, name)


def test_a_working_directory_that_is_gone(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "cifar-resnet" in Catalogue.load().families


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"degradation": 1}, "no field 'degradation'"),
        ({"recipe": {**RECIPE, "difference": 1}}, "no field 'difference'"),
        ({"recipe": {**RECIPE, "epochs": 10**30}}, "recipe.epochs"),
        (
            {
                "recipe": {**RECIPE, "epochs": 10**6},
                "variants": {"name": "cifar-resnet1202", "set": {"widths": [128, 256, 512]}},
                "data": {"name": "digits"},
                "contrasts": None,
            },
            "years",
        ),
        ({"resources": {"gpus": 5e-324}}, "smallest share"),
        ({"execution": {"drain_seconds": 1e308}}, "drain_seconds"),
        ({"data": {"name": "digits", "split_seed": 2**32}}, "data.split_seed"),
        ({"data": {"name": "digits", "root": "~nobody-here"}}, "home directory"),
        ({"data": {"name": "digits", "root": "x" * 5000}}, "name too long"),
        ({"data": {"name": "digits", "root": "a\0b"}}, "control character"),
        ({"variants": "cifar-resnet" + "9" * 280}, "there is no variant"),
        ({"variants": "cifar-resnet" + "9" * 5000}, "at most 300 characters"),
        ({"variants": "cifar-resnet٢٠"}, "there is no variant"),
        ({"variants": {"family": "cifar-resnet", "depth": 10_000_002}}, "variants.0.depth.0"),
        ({"variants": {"name": "cifar-resnet20", "set": {"blocks": [10_000, 10_000, 10_000]}}}, "too many to be built"),
        ({"variants": {"name": "cifar-resnet20", "set": {"widths": [65536] * 3}}, "contrasts": None}, "parameters"),
        ({"variants": {"name": "cifar-resnet20", "set": {"widths": [10**9] * 3}}}, "variants.set.widths"),
        ({"variants": {"name": "cifar-resnet20", "label": "a\nb"}}, "label"),
        ({"variants": {"name": "cifar-resnet20", "label": "a" * 101}}, "label"),
        ({"seeds": list(range(10_001))}, "seeds"),
        ({"seeds": list(range(9_000))}, "too many trials"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_could_not_be_built_is_refused(experiment_file, changes, says):
    assert says in _refused(load_resolved_experiment, str(experiment_file(**changes)))


@pytest.mark.parametrize(
    "text",
    [
        "²",
        "1-²",
        "9" * 5000,
        "1-" + "9" * 5000,
        "1-99999999999999999999",
        "0-9999,10000-19999",
        "5-1",
        "\x1b[31m",
        "1-",
    ],
)
def test_seeds_that_are_none(text):
    _refused(parse_seeds, text)


@pytest.mark.parametrize("key", ["contrasts.²", "contrasts." + "9" * 5000, "a." * 3000 + "a", "a" * 5000])
def test_overrides_of_nothing(experiment_file, key):
    assert "--set" in _refused(load_resolved_experiment, str(experiment_file()), [f"{key}=1"])


FAMILY = {
    "family": "fuzz",
    "input_size": 8,
    "base": {"stem": "conv3x3", "block": "basic", "widths": [2, 4], "shortcut": "projection"},
    "depth": {"basic": "4n+2"},
    "members": {"fuzz6": {"depth": 6}},
    "twin": {"prefix": "flat"},
}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"members": {"fuzz6": {"depth": "six"}}}, "'six' is no depth"),
        ({"members": {"fuzz6": {"depth": [6]}}}, "is no depth"),
        ({"members": {"fuzz6": {"depth": True}}}, "is no depth"),
        ({"members": {"fuzz6": {"depth": 7}}}, "does not exist"),
        ({"members": {"fuzz6": {"depth": 6, "widths": 5}}}, "members.fuzz6.widths"),
        ({"members": {"a[/red]": {"depth": 6}}}, "a[/red]"),
        ({"members": {"": {"depth": 6}}}, "at least 1 character"),
        ({"depth": {"basic": "9" * 5000 + "n+1"}}, "is not a rule"),
        ({"depth": {"basic": "4n+" + "9" * 5000}}, "is not a rule"),
        ({"depth": {"basic": "4n+3"}, "members": {"fuzz7": {"depth": 7}}}, "network of depth 6 7"),
        ({"twin": {"prefix": "fuzz"}}, "another prefix"),
        ({"twin": {"prefix": "flat", "shortcut": "diagonal"}}, "no shortcut type"),
        ({"family": ""}, "at least 1 character"),
        ({"input_size": -5}, "greater than 0"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_families_that_are_none_name_their_file(tmp_path, changes, says):
    path = tmp_path / "fuzz.yaml"
    path.write_text(yaml.safe_dump({**FAMILY, **changes}))
    message = _refused(load_family, path)
    assert str(path) in message
    assert says in message


def test_a_family_without_a_shortcut_of_its_own(tmp_path, monkeypatch, experiment_file):
    (tmp_path / "variants").mkdir()
    base = {key: value for key, value in FAMILY["base"].items() if key != "shortcut"}
    text = yaml.safe_dump({**FAMILY, "base": base, "members": {}})
    (tmp_path / "variants" / "fuzz.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    chosen = {"family": "fuzz", "depth": 6}
    assert "has no shortcut" in _refused(
        load_resolved_experiment, str(experiment_file(variants=chosen, contrasts=None))
    )
    chosen["shortcut"] = ["none", "projection"]
    study = load_resolved_experiment(str(experiment_file(variants=chosen, contrasts=None)))
    assert [variant.name for variant in study.variants] == ["flat6", "fuzz6-projection"]


def test_suffixes_come_from_what_was_validated(quick_study):
    """``"8"`` and ``8.0`` are the width 8, in the name too; what was not changed has no suffix."""
    chosen = {"name": "cifar-resnet20", "set": {"widths": ["8", 16.0, 32], "norm": "batch"}}
    assert quick_study(variants=chosen, contrasts=None).variants[0].name == "cifar-resnet20-w8"
    chosen["set"]["widths"] = ["16", "32", "64"]
    assert quick_study(variants=chosen, contrasts=None).variants[0].name == "cifar-resnet20"


def test_the_smallest_level_needs_many_seeds_and_no_infinity():
    assert seeds_to_reach(5e-324, 1) == 1074
    assert [seeds_to_reach(0.05, 1), seeds_to_reach(0.05, 2), seeds_to_reach(0.05, 1, two_sided=True)] == [5, 6, 6]
    assert seeds_to_reach(1 / 256, 1) == 8


def test_ten_thousand_seeds_are_read(quick_study):
    study = quick_study(variants="cifar-resnet8", contrasts=None, seeds=list(range(10_000)))
    assert len(study.trials) == 10_000
    assert ResolvedExperiment.model_validate_json(study.to_record_json()).experiment.seeds == study.experiment.seeds


def test_errors_steer_no_terminal():
    error = HarnessError("a\x1b[31m\nb", where="\x9b\u202e\ud800", remedy="c\rd\te")
    assert str(error) == "\\x9b\\u202e\\ud800: a\\x1b[31m\nb. c\\rd\te"
