"""Networks of other libraries and of a user's own factory go the way of any variant."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from training_helpers import train, without_times

from harness.costs.complexity import count_network, read_cached_costs
from harness.errors import HarnessError
from harness.models import build
from harness.specs import Execution, ExternalNetwork, Resources, Trial
from harness.training.trainer import Trainer

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    """A cache of its own, and a working directory that holds the factories."""
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "nets.py").write_bytes((HERE / "nets.py").read_bytes())
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("nets", None)
    importlib.invalidate_caches()


def _python(function="small", **fields):
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
def test_a_library_s_network_is_built_counted_and_takes_grey_images(kind, name, size):
    spec = ExternalNetwork(kind=kind, factory=name, in_channels=1, classes=7).with_content_hash()
    assert spec.version[0].isdigit()
    network = build(spec, seed=0).eval()
    assert network(torch.zeros(2, 1, size, size)).shape == (2, 7)
    costs = count_network(spec, (size, size))
    assert costs.counter == "fvcore", "torch's own counter agrees"
    assert costs.params == sum(p.numel() for p in network.parameters())
    assert costs.macs > 0 and costs.layers > 10


def test_costs_are_counted_once():
    spec = _python().with_content_hash()
    assert read_cached_costs(spec, (8, 8)) is None
    costs = count_network(spec, (8, 8))
    assert (costs.params, costs.macs, costs.layers) == (4 * 9 + 4 + 50, 64 * 36 + 40, 2)
    assert read_cached_costs(spec, (8, 8)) == costs
    assert read_cached_costs(spec, (9, 8)) is None


def test_initialisation_follows_the_seed_and_leaves_the_global_stream():
    state = torch.random.get_rng_state()
    nets = [build(_python(), seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.random.get_rng_state(), state)
    weights = [net[0].weight for net in nets]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("raising", "raised ZeroDivisionError: no .bold.luck"),
        ("no_module", "returned a dict, not a torch.nn.Module"),
        ("missing", "nets has no function 'missing'"),
        ("constant", "nets has no function 'constant'"),
        ("wrong_shape", r"gives \(2, 11\) for two images, not logits of shape \(2, 10\)"),
        ("no_tensor", "gives tuple for two images"),
        ("perceptron", "does not take images of 1x9x9"),
    ],
)
def test_a_factory_that_does_not_do_is_named(function, message):
    with pytest.raises(HarnessError, match=message):
        count_network(_python(function).with_content_hash(), (9, 9))


def test_arguments_reach_the_factory_and_wrong_ones_are_named():
    assert build(_python(args={"width": 6}))[0].out_channels == 6
    with pytest.raises(HarnessError, match="unexpected keyword argument 'depth'"):
        build(_python(args={"depth": 6}))


def test_modules_that_are_not_there(tmp_path):
    with pytest.raises(HarnessError, match=r"there is no module 'absent\.nets'"):
        ExternalNetwork(kind="python", factory="absent.nets:make").with_content_hash()
    (tmp_path / "broken.py").write_text("import nothing_of_that_name")
    with pytest.raises(HarnessError, match="cannot be imported: ModuleNotFoundError"):
        build(ExternalNetwork(kind="python", factory="broken:make").with_content_hash())
    with pytest.raises(HarnessError, match="torchvision has no classifier 'densnet121'"):
        build(ExternalNetwork(kind="torchvision", factory="densnet121"))
    with pytest.raises(HarnessError, match="timm has no model"):
        build(ExternalNetwork(kind="timm", factory="resnet26x"))


@pytest.mark.parametrize("factory", ["make", "a b:make", "nets:", "../nets:make", "nets:make()"])
def test_what_names_no_function_is_refused(factory):
    with pytest.raises(ValidationError, match="is no factory"):
        ExternalNetwork(kind="python", factory=factory)


def test_arguments_that_the_data_sets_or_that_nobody_can_write_down_are_refused():
    with pytest.raises(ValidationError, match="no finite number"):
        ExternalNetwork(kind="torchvision", factory="alexnet", args={"dropout": float("nan")})
    with pytest.raises(ValidationError, match="leave it out"):
        ExternalNetwork(kind="torchvision", factory="alexnet", args={"num_classes": 3})


def test_a_changed_source_is_another_trial_and_no_worker_trains_it_unseen(quick_study, tmp_path):
    trial = quick_study().trials[0]
    before = Trial(variant=_python().with_content_hash(), data=trial.data, recipe=trial.recipe, seed=1)
    build(before.variant)
    source = (tmp_path / "nets.py").read_text().replace("width=4", "width=5")
    (tmp_path / "nets.py").write_text(source)
    after = Trial(variant=_python().with_content_hash(), data=trial.data, recipe=trial.recipe, seed=1)
    assert before.id != after.id
    with pytest.raises(HarnessError, match="source is not what it was"):
        build(before.variant)
    moved = before.variant.model_copy(update={"path": "elsewhere", "name": "other", "layers": 9})
    assert Trial(variant=moved, data=trial.data, recipe=trial.recipe, seed=1).id == before.id


def test_a_network_with_dropout_trains_the_same_twice_and_after_a_stop(quick_study):
    trial = quick_study().trials[0]
    spec = _python(args={"dropout": 0.5}).with_content_hash()
    trial = Trial(variant=spec, data=trial.data, recipe=trial.recipe, seed=1)

    uninterrupted = without_times(train(Trainer(trial, Execution(), Resources())))
    torch.manual_seed(5)
    assert without_times(train(Trainer(trial, Execution(), Resources()))) == uninterrupted
    first = Trainer(trial, Execution(), Resources())
    assert train(first, epochs=1)[-1].epoch == 1
    second = Trainer(trial, Execution(), Resources())
    second.resume(first.state())
    assert without_times(train(second)) == uninterrupted[2:]


def test_every_network_of_the_catalogue_is_known_to_its_library(catalogue):
    import timm
    from torchvision.models import list_models

    for variant, _ in catalogue.networks():
        if isinstance(variant, ExternalNetwork):
            known = timm.list_models() if variant.kind == "timm" else list_models()
            assert variant.factory in known, variant.name


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_counters_agree_on_the_catalogue_s_foreign_networks(catalogue):
    for variant, _ in catalogue.networks():
        if isinstance(variant, ExternalNetwork):
            assert count_network(variant.with_content_hash(), (96, 96)).counter == "fvcore", variant.name


def test_the_module_is_the_file_that_was_hashed(tmp_path):
    """In a process that imported an older version of it before, and of a package all of its files count."""
    assert build(_python().with_content_hash())[0].out_channels == 4
    (tmp_path / "nets.py").write_text((tmp_path / "nets.py").read_text().replace("width=4", "width=7"))
    assert build(_python().with_content_hash())[0].out_channels == 7
    package = tmp_path / "pk"
    package.mkdir()
    (package / "__init__.py").write_text("from pk.inner import make")
    (package / "inner.py").write_text((tmp_path / "nets.py").read_text() + "\nmake = small\n")
    spec = ExternalNetwork(kind="python", factory="pk:make", in_channels=1, classes=10)
    first = spec.with_content_hash()
    assert build(first)[0].out_channels == 7
    (package / "inner.py").write_text((package / "inner.py").read_text().replace("width=7", "width=8"))
    assert spec.with_content_hash().version != first.version
    assert build(spec.with_content_hash())[0].out_channels == 8


def test_holes_of_the_identity_are_closed(tmp_path):
    for argument in ("checkpoint_path", "pretrained_cfg_overlay"):
        with pytest.raises(ValidationError, match="leave it out"):
            ExternalNetwork(kind="timm", factory="resnet26d", args={argument: "x"})
    with pytest.raises(HarnessError, match=r"planned with torchvision 0\.0\.1"):
        build(ExternalNetwork(kind="torchvision", factory="alexnet", version="0.0.1"))
    (tmp_path / "greedy.py").write_text(
        "from torch import nn\n"
        "def make(in_channels, classes, sizes):\n    sizes.append(1)\n    return nn.Linear(3, 3)\n"
    )
    spec = ExternalNetwork(kind="python", factory="greedy:make", args={"sizes": [2]})
    build(spec)
    assert spec.args == {"sizes": [2]}


def test_factories_that_leave_or_are_lazy(tmp_path):
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(HarnessError, match="cannot be imported: SystemExit"):
        build(ExternalNetwork(kind="python", factory="leaving:make"))
    (tmp_path / "lazy.py").write_text(
        "from torch import nn\ndef make(in_channels, classes):\n    return nn.LazyLinear(3)"
    )
    with pytest.raises(HarnessError, match="lazy layers"):
        build(ExternalNetwork(kind="python", factory="lazy:make"))


def test_attention_counts_alike_whoever_makes_it():
    """Linear layers alone: 12 blocks of 4 d^2 + 2 d m each, on 197 tokens; the stem, and the head."""
    tokens, width, mlp = 197, 768, 3072
    blocks = 12 * tokens * (4 * width**2 + 2 * width * mlp)
    expected = blocks + 196 * width * 3 * 16 * 16 + width * 1000
    spec = ExternalNetwork(kind="torchvision", factory="vit_b_16").with_content_hash()
    costs = count_network(spec, (224, 224))
    assert (costs.macs, costs.counter) == (expected, "fvcore")
