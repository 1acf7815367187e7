"""The functions of ``import harness``: their values, settings and errors."""

import inspect
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest

import harness
from harness.settings import Settings


@pytest.mark.parametrize("shape", ["3x64x64", "64", 64, (64, 64), (3, 64, 64)])
def test_cost_takes_the_image_shape_in_every_form(shape):
    assert harness.cost("resnet18", shape) == harness.cost("resnet18", "3x64x64")


def test_cost_without_a_shape_is_that_of_the_family():
    assert harness.cost("resnet18") == harness.cost("resnet18", 224)


def test_variant_keeps_nested_fields():
    assert harness.variant("mobilenet_v3_small", args={"dropout": 1e-5}).args == {"dropout": 1e-5}


def test_variant_keeps_text_that_yaml_would_read_otherwise():
    args = {"a": "yes", "b": "1e3", "c": "010", "d": "\N{ROCKET}", "e": "", "f": "a\nb: c", "g": " #x "}
    assert harness.variant("mobilenet_v3_small", args=args).args == args


def test_build_takes_numbers_of_numpy():
    assert harness.build("cifar-resnet20", classes=np.int64(7)).fc.out_features == 7


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: harness.build("resnet18", depht=3), "there is no field 'depht'"),
        (lambda: harness.build("cifar-resnet20", device="bogus"), "no device 'bogus'"),
        (lambda: harness.build(harness.variant("resnet18"), classes=3), "fields of a spec cannot be changed here"),
        (lambda: harness.cost("resnet18", 16), "too small for resnet18"),
        (lambda: harness.cost("resnet18", "big"), "not a shape of images"),
        (lambda: harness.run("absent"), "no experiment 'absent'"),
        (lambda: harness.run("quickstart", launcher="foo"), "no launcher 'foo'"),
        (lambda: harness.run("quickstart", hoem="x"), r"there is no setting 'hoem'\. Did you mean 'home'"),
        (lambda: harness.run("quickstart", time_limit="soon"), "'soon' is not a duration"),
        (lambda: harness.results("absent", home="nowhere"), "no experiment 'absent'"),
    ],
)
def test_wrong_input_is_an_error_that_says_what_is_wrong(tmp_path, monkeypatch, call, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(harness.HarnessError, match=message):
        call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("function", [harness.run, harness.results])
def test_signature_lists_every_setting_with_its_default(function):
    parameters = inspect.signature(function).parameters
    assert {field.name: field.default for field in fields(Settings)}.items() <= {
        name: parameter.default for name, parameter in parameters.items()
    }.items()


def test_settings_are_given_under_the_names_of_their_options(monkeypatch, tmp_path):
    received = []

    def collect(name, settings):
        received.append(settings)
        return SimpleNamespace(epochs="table"), None

    monkeypatch.setattr("harness.api.collect", collect)
    given = {"home": str(tmp_path), "storage": tmp_path / "checkpoints", "time_limit": "30m", "wait": 5}
    assert harness.results("quick", **given) == "table"
    assert received == [Settings(home=tmp_path, storage=f"{tmp_path}/checkpoints", time_limit=1800.0, wait=5.0)]


def test_unknown_function_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        harness.train  # noqa: B018
