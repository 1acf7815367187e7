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


def test_catalogue_refuses_a_pipe_among_the_families_without_waiting(tmp_path, monkeypatch):
    (tmp_path / "variants").mkdir()
    os.mkfifo(tmp_path / "variants" / "pipe.yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError, match="this is not a file") as error:
        Catalogue.load()
    assert "pipe.yaml" in error.value.where


def test_network_that_needs_its_shortcut_has_no_twin(catalogue):
    names = [variant.name for variant, _ in catalogue.networks()]
    assert "cifar-resnet110-stochastic" in names and "cifar-plain110-stochastic" not in names
    with pytest.raises(HarnessError, match="stochastic_depth needs a shortcut"):
        catalogue.get("cifar-plain110-stochastic")
