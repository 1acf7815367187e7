"""The catalogue: which directories it reads, and which names it has."""

import os

import pytest

from harness.errors import HarnessError
from harness.specs import Catalogue

MINE = """\
family: cifar-resnet
input_size: 8
base: {stem: conv3x3, block: basic, widths: [4], shortcut: projection}
depth: {basic: 2n+2}
members: {cifar-resnet4: {depth: 4}}
twin: {prefix: mine-plain}
"""


def test_catalogue_prefers_families_of_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "mine.yaml").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    catalogue = Catalogue.load()
    assert catalogue.get("cifar-resnet6").blocks == (2,)
    assert catalogue.get("mine-plain6").is_plain
    assert catalogue.get("resnet18").depth == 18
    assert Catalogue.shipped().get("cifar-resnet8").depth == 8


def test_catalogue_loads_without_a_working_directory(tmp_path, monkeypatch):
    removed = tmp_path / "removed"
    removed.mkdir()
    monkeypatch.chdir(removed)
    removed.rmdir()
    assert "cifar-resnet" in Catalogue.load().families


OTHER_FILES = {
    "theme": ("workbench:\n  colour: '#fff'\n", "no field 'family'"),
    "list": ("- a\n- b\n", "holds a list"),
    "deployment": ("apiVersion: v1\nkind: Deployment\n", "no field 'family'"),
    "several": ("a: 1\n---\nb: 2\n", "not valid YAML"),
    "tagged": ("a: !Ref b\n", "tags that create objects"),
    "tabs": ("a:\n\tb: 1\n", "not valid YAML"),
    "empty": ("", "is empty"),
    "font": ("family: Fira Code\nsize: 12\n", "4 problems"),
}


@pytest.mark.parametrize("name", OTHER_FILES)
def test_catalogue_skips_a_file_of_another_program_with_one_warning(tmp_path, monkeypatch, name):
    text, reason = OTHER_FILES[name]
    (tmp_path / "variants").mkdir()
    path = tmp_path / "variants" / f"{name}.yaml"
    path.write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning) as warned:
        catalogue = Catalogue.load()
    assert len(warned) == 1
    assert str(path) in str(warned[0].message) and reason in str(warned[0].message)
    assert catalogue.get("cifar-resnet8").depth == 8
    with pytest.raises(HarnessError) as error:
        catalogue.family("Fira Code" if name == "font" else name)
    assert str(path) in str(error.value) and reason in str(error.value)


def test_catalogue_skips_a_pipe_among_the_families_without_waiting(tmp_path, monkeypatch):
    (tmp_path / "variants").mkdir()
    os.mkfifo(tmp_path / "variants" / "pipe.yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match=r"pipe\.yaml is skipped.*this is not a file"):
        catalogue = Catalogue.load()
    with pytest.raises(HarnessError, match="this is not a file") as error:
        catalogue.get("pipe8")
    assert "pipe.yaml" in str(error.value)


def test_catalogue_passes_over_hidden_files_without_a_warning(tmp_path, monkeypatch, recwarn):
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "._mine.yaml").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "variants" / ".#mine.yaml").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path)
    assert "cifar-resnet" in Catalogue.load().families
    assert not recwarn.list


@pytest.mark.parametrize("name", ["cifar-resnet20", "mine-plain6", "special", "cifar-resnet6-bottleneck"])
def test_catalogue_never_takes_another_network_for_one_of_a_file_with_a_mistake(tmp_path, monkeypatch, name):
    """The file may define these names, also those that a shipped family has."""
    (tmp_path / "variants").mkdir()
    text = MINE.replace("input_size", "input_sise").replace("members: {", "members: {special: {depth: 4}, ")
    (tmp_path / "variants" / "mine.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="2 problems.*input_size"):
        catalogue = Catalogue.load()
    with pytest.raises(HarnessError, match=r"mine\.yaml:2, input_sise: there is no field 'input_sise'"):
        catalogue.get(name)
    assert catalogue.get("resnet18").depth == 18


def test_family_without_a_twin_has_members_and_depths_and_no_twins(tmp_path, monkeypatch):
    (tmp_path / "variants").mkdir()
    text = MINE.replace("family: cifar-resnet", "family: lone").replace("cifar-resnet4", "lone4")
    (tmp_path / "variants" / "lone.yaml").write_text(text.partition("twin")[0])
    monkeypatch.chdir(tmp_path)
    catalogue = Catalogue.load()
    assert catalogue.get("lone6").blocks == (2,)
    assert ("lone4", "") in [(variant.name, twin) for variant, twin in catalogue.networks()]
    with pytest.raises(HarnessError, match="there is no variant 'mine-plain6'"):
        catalogue.get("mine-plain6")


def test_network_that_needs_its_shortcut_has_no_twin(catalogue):
    names = [variant.name for variant, _ in catalogue.networks()]
    assert "cifar-resnet110-stochastic" in names and "cifar-plain110-stochastic" not in names
    with pytest.raises(HarnessError, match="stochastic_depth needs a shortcut"):
        catalogue.get("cifar-plain110-stochastic")
