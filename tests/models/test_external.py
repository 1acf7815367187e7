"""External networks as torch modules: their initialisation, their source, and factories that are refused."""

import pytest
import torch

from harness.errors import HarnessError
from harness.models import build
from harness.models.output_check import check_output
from harness.specs import ExternalNetwork


def python_network(function="small", **fields):
    return ExternalNetwork(
        kind="python", factory=f"nets:{function}", name=function, in_channels=1, classes=10, **fields
    )


@pytest.mark.parametrize(
    ("kind", "name", "size"),
    [
        ("torchvision", "mobilenet_v3_small", 32),
        ("torchvision", "densenet121", 32),
        ("torchvision", "inception_v3", 75),
        ("timm", "resnet26d", 32),
    ],
)
def test_build_of_a_library_network_accepts_grey_images(kind, name, size):
    spec = ExternalNetwork(kind=kind, factory=name, in_channels=1, classes=7)
    network = build(spec, seed=0).eval()
    assert network(torch.zeros(2, 1, size, size)).shape == (2, 7)


def test_build_of_a_factory_draws_from_its_seed_and_not_from_the_global_generator(network_factories):
    state = torch.random.get_rng_state()
    networks = [build(python_network(), seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.random.get_rng_state(), state)
    weights = [network[0].weight for network in networks]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("raising", "raised ZeroDivisionError: no .bold.luck"),
        ("no_module", "returned a dict, not a torch.nn.Module"),
        ("missing", "nets has no function 'missing'"),
        ("constant", "nets has no function 'constant'"),
    ],
)
def test_build_refuses_a_factory_that_returns_no_network(network_factories, function, message):
    with pytest.raises(HarnessError, match=message):
        build(python_network(function).with_content_hash())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("wrong_shape", r"returns \(2, 11\) for two images, not logits of shape \(2, 10\)"),
        ("no_tensor", "returns tuple for two images"),
        ("perceptron", "does not accept images of 1x9x9"),
    ],
)
def test_check_output_refuses_a_network_without_logits_for_two_images(network_factories, function, message):
    spec = python_network(function)
    with pytest.raises(HarnessError, match=message):
        check_output(spec, build(spec), (9, 9))


def test_build_passes_arguments_to_the_factory(network_factories):
    assert build(python_network(args={"width": 6}))[0].out_channels == 6


def test_build_names_an_argument_that_the_factory_does_not_have(network_factories):
    with pytest.raises(HarnessError, match="unexpected keyword argument 'depth'"):
        build(python_network(args={"depth": 6}))


def test_build_does_not_let_a_factory_change_the_arguments_of_the_spec(network_factories):
    (network_factories / "greedy.py").write_text(
        "from torch import nn\n"
        "def make(in_channels, classes, sizes):\n    sizes.append(1)\n    return nn.Linear(3, 3)\n"
    )
    spec = ExternalNetwork(kind="python", factory="greedy:make", args={"sizes": [2]})
    build(spec)
    assert spec.args == {"sizes": [2]}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import nothing_of_that_name", "cannot be imported: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", "cannot be imported: SystemExit"),
        ("from torch import nn\ndef make(in_channels, classes):\n    return nn.LazyLinear(3)", "lazy layers"),
    ],
)
def test_build_refuses_a_module_that_cannot_be_used(network_factories, source, message):
    (network_factories / "broken.py").write_text(source)
    with pytest.raises(HarnessError, match=message):
        build(ExternalNetwork(kind="python", factory="broken:make"))


@pytest.mark.parametrize(
    ("kind", "factory", "message"),
    [
        ("torchvision", "densnet121", "torchvision has no classifier 'densnet121'"),
        ("timm", "resnet26x", "timm has no model"),
    ],
)
def test_build_refuses_an_unknown_model(kind, factory, message):
    with pytest.raises(HarnessError, match=message):
        build(ExternalNetwork(kind=kind, factory=factory))


def test_build_refuses_another_version_of_the_library_than_planned():
    with pytest.raises(HarnessError, match=r"planned with torchvision 0\.0\.1"):
        build(ExternalNetwork(kind="torchvision", factory="alexnet", version="0.0.1"))


def test_build_refuses_a_factory_whose_source_has_changed_since_the_plan(network_factories):
    planned = python_network().with_content_hash()
    build(planned)
    source = (network_factories / "nets.py").read_text()
    (network_factories / "nets.py").write_text(source.replace("width=4", "width=5"))
    with pytest.raises(HarnessError, match="has changed since the trials were planned"):
        build(planned)


def test_build_imports_the_present_source_of_a_module_that_was_imported_before(network_factories):
    assert build(python_network().with_content_hash())[0].out_channels == 4
    source = (network_factories / "nets.py").read_text()
    (network_factories / "nets.py").write_text(source.replace("width=4", "width=7"))
    assert build(python_network().with_content_hash())[0].out_channels == 7


def test_build_imports_the_present_source_of_all_modules_of_a_package(network_factories):
    package = network_factories / "pk"
    package.mkdir()
    (package / "__init__.py").write_text("from pk.inner import make")
    source = (network_factories / "nets.py").read_text() + "\nmake = small\n"
    (package / "inner.py").write_text(source)
    spec = ExternalNetwork(kind="python", factory="pk:make", in_channels=1, classes=10)
    assert build(spec.with_content_hash())[0].out_channels == 4
    (package / "inner.py").write_text(source.replace("width=4", "width=8"))
    assert build(spec.with_content_hash())[0].out_channels == 8


def widths(spec):
    return build(spec.with_content_hash())[0].out_channels


def test_build_imports_the_present_source_of_helpers_also_within_one_second_and_at_one_size(network_factories):
    helper, source = network_factories / "blocks.py", "from inner.width import width\n"
    (network_factories / "inner").mkdir()
    (network_factories / "mine.py").write_text(
        "from torch import nn\nimport blocks\n"
        "def make(in_channels, classes):\n    return nn.Sequential(nn.Conv2d(1, blocks.width, 1))\n"
    )
    helper.write_text(source)
    (network_factories / "inner" / "width.py").write_text("width = 4")
    spec = ExternalNetwork(kind="python", factory="mine:make", in_channels=1, classes=10)
    planned = spec.with_content_hash()
    assert widths(spec) == 4
    for width in (5, 6):
        (network_factories / "inner" / "width.py").write_text(f"width = {width}")
        assert widths(spec) == width
    with pytest.raises(HarnessError, match="has changed since the trials were planned"):
        build(planned)
    (network_factories / "inner" / "width.py").unlink()
    with pytest.raises(HarnessError, match=r"cannot be imported: ModuleNotFoundError: No module named 'inner\.width'"):
        build(spec.with_content_hash())


def test_build_uses_each_factorys_own_helper_where_two_have_the_same_name(network_factories, monkeypatch):
    for name, width in (("first", 3), ("second", 5)):
        directory = network_factories / name
        directory.mkdir()
        (directory / f"{name}.py").write_text(
            "from torch import nn\ndef make(in_channels, classes):\n    from blocks import width\n"
            "    return nn.Sequential(nn.Conv2d(1, width, 1))\n"
        )
        (directory / "blocks.py").write_text(f"width = {width}")
    for name, width in (("first", 3), ("second", 5), ("first", 3)):
        monkeypatch.chdir(network_factories / name)
        assert widths(ExternalNetwork(kind="python", factory=f"{name}:make", in_channels=1)) == width


@pytest.mark.parametrize(
    "code",
    [
        "import importlib\nname = 'blo' + 'cks'\nwidth = importlib.import_module(name).width",
        "import sys\nsys.path.insert(0, 'hidden')\nimport secret\nwidth = secret.width",
        "exec('import blocks')\nwidth = blocks.width",
        "import cProfile\nwidth = 4",
    ],
    ids=["computed name", "sys.path", "exec", "name of a module of Python"],
)
def test_build_refuses_a_helper_that_the_hash_cannot_cover(network_factories, monkeypatch, code):
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (network_factories / "hidden").mkdir()
    for file in ("blocks.py", "hidden/secret.py"):
        (network_factories / file).write_text("width = 4")
    (network_factories / "cProfile.py").write_text("width = 4")
    (network_factories / "mine.py").write_text(
        f"from torch import nn\n{code}\ndef make(in_channels, classes):\n"
        "    return nn.Sequential(nn.Conv2d(1, width, 1))\n"
    )
    spec = ExternalNetwork(kind="python", factory="mine:make", in_channels=1)
    if "cProfile" in code:  # Python's own module is the one that is imported.
        assert widths(spec) == 4 and __import__("cProfile").__file__ != str(network_factories / "cProfile.py")
        return
    for _ in range(2):
        with pytest.raises(
            HarnessError, match=r"the factory imports (blocks|secret) .* in a way that its code does not"
        ):
            build(spec.with_content_hash())


def test_build_finds_no_module_in_the_directory_of_another_factory(network_factories, monkeypatch):
    for name, code in (("first", "import helper"), ("second", "__import__('help' + 'er')")):
        directory = network_factories / name
        directory.mkdir()
        factory = f"from torch import nn\n{code}\ndef make(in_channels, classes):\n    return nn.Conv2d(1, 2, 1)\n"
        (directory / f"{name}.py").write_text(factory)
    (network_factories / "first" / "helper.py").write_text("")
    monkeypatch.chdir(network_factories / "first")
    build(ExternalNetwork(kind="python", factory="first:make", in_channels=1).with_content_hash())
    monkeypatch.chdir(network_factories / "second")
    with pytest.raises(HarnessError, match="No module named 'helper'"):
        build(ExternalNetwork(kind="python", factory="second:make", in_channels=1).with_content_hash())


@pytest.mark.parametrize("name", ["harness", "torch", "json"])
def test_build_refuses_a_factory_with_the_name_of_a_module_that_is_imported_already(network_factories, name):
    import sys

    before = sys.modules[name] if name in sys.modules else __import__(name)
    (network_factories / f"{name}.py").write_text("def make(in_channels, classes):\n    raise SystemExit('pwned')\n")
    with pytest.raises(HarnessError, match=r"Python finds another module of this name first|installed package"):
        build(ExternalNetwork(kind="python", factory=f"{name}:make").with_content_hash())
    assert sys.modules[name] is before
