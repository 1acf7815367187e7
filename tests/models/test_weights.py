"""Weights: put in whole or not at all, by name of what differs; fine-tuning trains what it says."""

import json
import random
from contextlib import suppress

import pytest
import torch
import torchvision
from training_helpers import train

from harness.errors import HarnessError
from harness.io.checkpoint_names import Checkpoint
from harness.io.storage import Folder
from harness.models import build
from harness.models.weights import find_classifier, load_weights, read_state_dict
from harness.specs import Execution, ExternalNetwork, Recipe, Resources, Trial, Variant
from harness.specs.network.weights import Weights
from harness.training.checkpoint import write_checkpoint
from harness.training.trainer import Trainer

TINY = {
    "stem": "conv3x3",
    "block": "basic",
    "blocks": [1, 1],
    "widths": [4, 8],
    "shortcut": "identity",
    "in_channels": 1,
}


@pytest.fixture
def saved(tmp_path):
    """A state dict of the tiny network for 7 classes; returns (its path, the network)."""
    network = build(Variant(**TINY, classes=7), seed=5)
    torch.save(network.state_dict(), tmp_path / "tiny.pth")
    return tmp_path / "tiny.pth", network


def _trial(quick_study, file, **weights):
    trial = quick_study().trials[0]
    variant = Variant(**TINY, classes=10, weights={"file": str(file), **weights}).with_content_hash()
    recipe = Recipe(**{**trial.recipe.model_dump(), "epochs": 1})
    return Trial(variant=variant, data=trial.data, recipe=recipe, seed=1)


def test_state_dicts_as_scripts_write_them(saved, tmp_path):
    _, network = saved
    state = network.state_dict()
    parallel = {f"module.{key}": value for key, value in state.items()}
    for content in (state, {"state_dict": state, "epoch": torch.tensor(3)}, {"model": parallel}):
        torch.save(content, tmp_path / "a.pth")
        assert read_state_dict(tmp_path / "a.pth").keys() == state.keys()


def test_what_is_no_state_dict_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save(build(Variant(**TINY)), tmp_path / "module.pth")
    (tmp_path / "text.pth").write_text("weights")
    for name, says in (("list", "no state dict"), ("module", "cannot be loaded"), ("text", "cannot be loaded"),
                       ("absent", "No such file")):  # fmt: skip
        with pytest.raises(HarnessError, match=says):
            read_state_dict(tmp_path / f"{name}.pth")


def test_the_keys_that_differ_are_named(catalogue):
    state = build(catalogue.get("cifar-resnet20"), seed=0).state_dict()
    with pytest.raises(HarnessError) as caught:
        load_weights(build(catalogue.get("resnet18"), seed=0), state, "here")
    for words in ("of another network", "the network has and the file lacks: layer2.0.downsample.0.weight",
                  "of another shape: conv1.weight (16x3x3x3 in the file, 64x3x7x7 in the network)"):  # fmt: skip
        assert words in caught.value.what


def test_a_network_keeps_what_it_has_where_nothing_fits(saved):
    _, network = saved
    other = build(Variant(**{**TINY, "widths": [4, 9]}, classes=7), seed=1)
    before = {key: value.clone() for key, value in other.state_dict().items()}
    with pytest.raises(HarnessError):
        load_weights(other, network.state_dict(), "here")
    assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())


def test_torchvision_s_own_weights_fit(catalogue):
    theirs = torchvision.models.resnet18(weights=None).state_dict()
    ours = build(catalogue.get("resnet18"), seed=0)
    load_weights(ours, theirs, "here")
    assert torch.equal(ours.layer4[1].conv2.weight, theirs["layer4.1.conv2.weight"])
    assert find_classifier(torchvision.models.vgg11(weights=None), 1000) == "classifier.6"
    assert find_classifier(torchvision.models.squeezenet1_1(weights=None), 1000) == "classifier.1"
    with pytest.raises(HarnessError, match="has 7 outputs"):
        find_classifier(ours, 7)


def test_torchvision_s_weights_with_auxiliary_classifiers_fit_its_networks():
    theirs = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=True).state_dict()
    ours = build(ExternalNetwork(kind="torchvision", factory="googlenet"), seed=0)
    load_weights(ours, theirs, "here")
    assert torch.equal(ours.fc.weight, theirs["fc.weight"])


def test_a_grey_network_starts_from_colour_weights(tmp_path):
    theirs = torchvision.models.squeezenet1_1(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "grey.pth")
    spec = ExternalNetwork(kind="torchvision", factory="squeezenet1_1", in_channels=1, classes=10,
                   weights={"file": str(tmp_path / "grey.pth"), "freeze": "body"}).with_content_hash()  # fmt: skip
    ours = build(spec, seed=0)
    assert torch.equal(ours.network.features[0].weight, theirs.features[0].weight)
    assert [name for name, p in ours.named_parameters() if p.requires_grad] == [
        "network.classifier.1.weight", "network.classifier.1.bias",
    ]  # fmt: skip
    with pytest.raises(HarnessError, match="sha256 begins with"):
        spec.model_copy(update={"weights": spec.weights.model_copy(update={"sha256": "0" * 16})}).with_content_hash()


def test_a_trial_s_own_checkpoint_is_weights(quick_study, tmp_path):
    trial = quick_study().trials[0]
    training = Trainer(trial, Execution(), Resources())
    write_checkpoint(Folder.from_location(tmp_path), Checkpoint(1, 0), b"{}", training.state())
    state = read_state_dict(tmp_path / Checkpoint(1, 0).name)
    assert torch.equal(state["fc.weight"], training.network.fc.weight)
    damaged = bytearray((tmp_path / Checkpoint(1, 0).name).read_bytes())
    damaged[len(damaged) // 2] ^= 255
    (tmp_path / "damaged.zip").write_bytes(damaged)
    with pytest.raises(HarnessError):
        read_state_dict(tmp_path / "damaged.zip")


def test_any_damage_to_a_file_is_refused(saved):
    path, _ = saved
    whole = path.read_bytes()
    generator = random.Random(4)
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(generator.randint(1, 4)):
            content[generator.randrange(len(content))] = generator.randrange(256)
        path.write_bytes(content[: generator.choice([len(content), generator.randrange(len(content))])])
        with suppress(HarnessError):
            read_state_dict(path)


def test_a_new_head_on_a_given_body(saved, quick_study):
    path, network = saved
    trial = _trial(quick_study, path)
    started = build(trial.variant, seed=trial.seed)
    assert torch.equal(started.layer2[0].conv1.weight, network.layer2[0].conv1.weight)
    assert torch.equal(started.layer1[0].bn1.running_var, network.layer1[0].bn1.running_var)
    plain = build(Variant(**TINY, classes=10), seed=trial.seed)
    assert torch.equal(started.fc.weight, plain.fc.weight) and started.fc.out_features == 10
    with pytest.raises(HarnessError, match=r"fc\.weight \(7x8 in the file, 10x8 in the network"):
        build(_trial(quick_study, path, head="keep").variant, seed=0)


@pytest.mark.parametrize("freeze", ["nothing", "body"])
def test_a_frozen_body_stays_as_it_was(saved, quick_study, freeze):
    path, _ = saved
    training = Trainer(_trial(quick_study, path, freeze=freeze), Execution(), Resources())
    before = {key: value.clone() for key, value in training.network.state_dict().items()}
    results = train(training)
    moved = {key for key, value in training.network.state_dict().items() if not torch.equal(value, before[key])}
    assert results[-1].epoch == 1 and {"fc.weight", "fc.bias"} <= moved
    assert (moved == {"fc.weight", "fc.bias"}) is (freeze == "body")


def test_the_content_of_weights_is_in_the_identity_and_their_place_is_not(saved, quick_study, tmp_path):
    path, network = saved
    before = _trial(quick_study, path)
    (tmp_path / "moved").mkdir()
    copy = tmp_path / "moved" / "same.pth"
    copy.write_bytes(path.read_bytes())
    assert _trial(quick_study, copy).id == before.id
    assert _trial(quick_study, path, freeze="body").id != before.id
    network.fc.bias.data += 1
    torch.save(network.state_dict(), path)
    assert _trial(quick_study, path).id != before.id
    with pytest.raises(HarnessError, match="not what it was when these trials were planned"):
        build(before.variant, seed=0)
    with pytest.raises(HarnessError, match="sha256 begins with"):
        Weights(file=str(path), sha256="0" * 16).with_content_hash()
    with pytest.raises(HarnessError, match="cannot be read"):
        Weights(file=str(tmp_path / "absent.pth")).with_content_hash()


def test_features_of_a_stage(catalogue):
    network = build(catalogue.get("cifar-resnet20"), seed=0).eval()
    images = torch.rand(2, 3, 32, 32)
    shapes = [tuple(network.features(images, stage).shape[1:]) for stage in range(4)]
    assert shapes == [(16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8)]
    assert torch.equal(network.fc(network.features(images, 3).mean((2, 3))), network(images))


def test_weights_in_an_experiment(experiment_file, saved, quick_study):
    path, _ = saved
    study = quick_study(
        variants=[{"name": "cifar-resnet8", "label": "a", "set": {"widths": [4, 8, 16]}},
                  {"name": "cifar-resnet8", "label": "b", "set": {"widths": [4, 8, 16], "weights": str(path)}}],
        contrasts=None,
    )  # fmt: skip
    a, b = study.variants
    assert a.weights is None and len(b.weights.sha256) == 16
    (unlabelled,) = quick_study(
        variants=[{"name": "cifar-resnet8", "set": {"weights": {"file": str(path), "freeze": "body"}}}], contrasts=None
    ).variants
    assert unlabelled.name == "cifar-resnet8-from-tiny-frozen"
    assert "weights" not in a.identity() and json.dumps(b.identity())
    with pytest.raises(HarnessError, match="cannot be read"):
        quick_study(variants=[{"name": "cifar-resnet8", "set": {"weights": "nowhere.pth"}}], contrasts=None)
    with pytest.raises(HarnessError, match="Give it a label"):
        quick_study(variants=[{"name": "cifar-resnet8", "set": {"weights": "x" * 99 + ".pth"}}], contrasts=None)
