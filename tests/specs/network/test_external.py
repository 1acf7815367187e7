"""The spec of an external network: which factories and arguments are valid, and what its identity contains."""

import pytest
from pydantic import ValidationError

from harness.errors import HarnessError
from harness.specs import ExternalNetwork


def python_network(function="small", **fields):
    return ExternalNetwork(
        kind="python", factory=f"nets:{function}", name=function, in_channels=1, classes=10, **fields
    )


@pytest.mark.parametrize("factory", ["make", "a b:make", "nets:", "../nets:make", "nets:make()"])
def test_external_network_refuses_a_factory_that_names_no_function(factory):
    with pytest.raises(ValidationError, match="is not a factory"):
        ExternalNetwork(kind="python", factory=factory)


@pytest.mark.parametrize(
    ("kind", "factory", "args", "message"),
    [
        ("torchvision", "alexnet", {"dropout": float("nan")}, "only finite numbers"),
        ("torchvision", "alexnet", {"num_classes": 3}, "args contains 'num_classes'"),
        ("timm", "resnet26d", {"checkpoint_path": "x"}, "args contains 'checkpoint_path'"),
        ("timm", "resnet26d", {"pretrained_cfg_overlay": "x"}, "args contains 'pretrained_cfg_overlay'"),
    ],
)
def test_external_network_refuses_arguments_that_its_identity_would_not_show(kind, factory, args, message):
    with pytest.raises(ValidationError, match=message):
        ExternalNetwork(kind=kind, factory=factory, args=args)


@pytest.mark.parametrize(("kind", "factory"), [("torchvision", "densenet121"), ("timm", "resnet26d")])
def test_with_content_hash_of_a_library_network_adds_the_installed_version(kind, factory):
    version = ExternalNetwork(kind=kind, factory=factory).with_content_hash().version
    assert version[0].isdigit() and "+" not in version


def test_with_content_hash_of_a_missing_module_is_an_error():
    with pytest.raises(HarnessError, match=r"the module 'absent\.nets' is neither"):
        ExternalNetwork(kind="python", factory="absent.nets:make").with_content_hash()


def test_identity_of_a_factory_changes_with_its_source(network_factories):
    before = python_network().with_content_hash()
    source = (network_factories / "nets.py").read_text()
    (network_factories / "nets.py").write_text(source.replace("width=4", "width=5"))
    assert python_network().with_content_hash().identity() != before.identity()


def test_identity_of_a_package_changes_with_each_of_its_files(network_factories):
    package = network_factories / "pk"
    package.mkdir()
    (package / "__init__.py").write_text("from pk.inner import make")
    (package / "inner.py").write_text("width = 4")
    spec = ExternalNetwork(kind="python", factory="pk:make")
    before = spec.with_content_hash()
    (package / "inner.py").write_text("width = 5")
    assert spec.with_content_hash().version != before.version


def test_identity_of_a_factory_contains_no_path_name_and_number_of_layers(network_factories):
    spec = python_network().with_content_hash()
    moved = spec.model_copy(update={"path": "elsewhere", "name": "other", "layers": 9})
    assert moved.identity() == spec.identity()


def test_catalogue_names_only_networks_that_their_library_has(catalogue):
    import timm
    from torchvision.models import list_models

    models = {"timm": set(timm.list_models()), "torchvision": set(list_models())}
    networks = [variant for variant, _ in catalogue.networks() if isinstance(variant, ExternalNetwork)]
    assert networks
    assert [network.name for network in networks if network.factory not in models[network.kind]] == []
