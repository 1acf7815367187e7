"""Pretrained weights: loaded whole or not at all, with errors that list the keys that differ; fine-tuning."""

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
from harness.training.checkpoint_file import write_checkpoint
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
def saved_network(tmp_path):
    """Save the state dict of a tiny network with 7 classes; return (path, network)."""
    network = build(Variant(**TINY, classes=7), seed=5)
    torch.save(network.state_dict(), tmp_path / "tiny.pth")
    return tmp_path / "tiny.pth", network


def make_trial(quick_study, file, **weights):
    trial = quick_study().trials[0]
    variant = Variant(**TINY, classes=10, weights={"file": str(file), **weights}).with_content_hash()
    recipe = Recipe(**{**trial.recipe.model_dump(), "epochs": 1})
    return Trial(variant=variant, data=trial.data, recipe=recipe, seed=1)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": torch.tensor(3)},
        lambda state: {"model": {f"module.{key}": value for key, value in state.items()}},
    ],
    ids=["plain", "with other data", "of DataParallel"],
)
def test_read_state_dict_accepts_the_files_that_training_scripts_write(saved_network, tmp_path, wrap):
    _, network = saved_network
    state = network.state_dict()
    torch.save(wrap(state), tmp_path / "a.pth")
    assert read_state_dict(tmp_path / "a.pth").keys() == state.keys()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: torch.save([1, 2], path), "contains no state dict"),
        (lambda path: torch.save(build(Variant(**TINY)), path), "cannot be loaded"),
        (lambda path: path.write_text("weights"), "cannot be loaded"),
        (lambda path: None, "No such file"),
    ],
    ids=["list", "module", "text", "missing"],
)
def test_read_state_dict_refuses_a_file_without_a_state_dict(tmp_path, write, message):
    write(tmp_path / "a.pth")
    with pytest.raises(HarnessError, match=message):
        read_state_dict(tmp_path / "a.pth")


def test_load_weights_lists_the_keys_that_differ(catalogue):
    state = build(catalogue.get("cifar-resnet20"), seed=0).state_dict()
    with pytest.raises(HarnessError) as caught:
        load_weights(build(catalogue.get("resnet18"), seed=0), state, "here")
    assert "these weights do not fit the network" in caught.value.what
    assert "are missing in the file: layer2.0.downsample.0.weight" in caught.value.what
    assert "have another shape: conv1.weight (16x3x3x3 in the file, 64x3x7x7 in the network)" in caught.value.what


def test_load_weights_that_do_not_fit_changes_nothing(saved_network):
    _, network = saved_network
    other = build(Variant(**{**TINY, "widths": [4, 9]}, classes=7), seed=1)
    before = {key: value.clone() for key, value in other.state_dict().items()}
    with pytest.raises(HarnessError):
        load_weights(other, network.state_dict(), "here")
    assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())


def test_load_weights_accepts_torchvision_weights(catalogue):
    theirs = torchvision.models.resnet18(weights=None).state_dict()
    ours = build(catalogue.get("resnet18"), seed=0)
    load_weights(ours, theirs, "here")
    assert torch.equal(ours.layer4[1].conv2.weight, theirs["layer4.1.conv2.weight"])


@pytest.mark.parametrize(("name", "classifier"), [("vgg11", "classifier.6"), ("squeezenet1_1", "classifier.1")])
def test_find_classifier_returns_the_last_layer_with_one_output_for_each_class(name, classifier):
    assert find_classifier(getattr(torchvision.models, name)(weights=None), 1000) == classifier


def test_find_classifier_without_such_a_layer_is_an_error(catalogue):
    with pytest.raises(HarnessError, match="no layer of this network has 7 outputs"):
        find_classifier(build(catalogue.get("resnet18"), seed=0), 7)


def test_load_weights_ignores_auxiliary_classifiers_of_torchvision():
    theirs = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=True).state_dict()
    ours = build(ExternalNetwork(kind="torchvision", factory="googlenet"), seed=0)
    load_weights(ours, theirs, "here")
    assert torch.equal(ours.fc.weight, theirs["fc.weight"])


def test_grey_network_starts_from_colour_weights(tmp_path):
    theirs = torchvision.models.squeezenet1_1(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "grey.pth")
    spec = ExternalNetwork(kind="torchvision", factory="squeezenet1_1", in_channels=1, classes=10,
                   weights={"file": str(tmp_path / "grey.pth"), "freeze": "body"}).with_content_hash()  # fmt: skip
    ours = build(spec, seed=0)
    assert torch.equal(ours.network.features[0].weight, theirs.features[0].weight)
    assert [name for name, p in ours.named_parameters() if p.requires_grad] == [
        "network.classifier.1.weight", "network.classifier.1.bias",
    ]  # fmt: skip


def test_read_state_dict_accepts_a_checkpoint_and_verifies_its_checksum(quick_study, tmp_path):
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


def test_read_state_dict_of_a_damaged_file_raises_only_harness_errors(saved_network):
    path, _ = saved_network
    whole = path.read_bytes()
    generator = random.Random(4)
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(generator.randint(1, 4)):
            content[generator.randrange(len(content))] = generator.randrange(256)
        path.write_bytes(content[: generator.choice([len(content), generator.randrange(len(content))])])
        with suppress(HarnessError):
            read_state_dict(path)


def test_weights_with_a_new_head_keep_the_body_and_initialise_the_classifier(saved_network, quick_study):
    path, network = saved_network
    trial = make_trial(quick_study, path)
    started = build(trial.variant, seed=trial.seed)
    assert torch.equal(started.layer2[0].conv1.weight, network.layer2[0].conv1.weight)
    assert torch.equal(started.layer1[0].bn1.running_var, network.layer1[0].bn1.running_var)
    plain = build(Variant(**TINY, classes=10), seed=trial.seed)
    assert torch.equal(started.fc.weight, plain.fc.weight) and started.fc.out_features == 10
    with pytest.raises(HarnessError, match=r"fc\.weight \(7x8 in the file, 10x8 in the network"):
        build(make_trial(quick_study, path, head="keep").variant, seed=0)


@pytest.mark.parametrize("freeze", ["nothing", "body"])
def test_training_with_a_frozen_body_changes_only_the_classifier(saved_network, quick_study, freeze):
    path, _ = saved_network
    training = Trainer(make_trial(quick_study, path, freeze=freeze), Execution(), Resources())
    before = {key: value.clone() for key, value in training.network.state_dict().items()}
    results = train(training)
    changed = {key for key, value in training.network.state_dict().items() if not torch.equal(value, before[key])}
    assert results[-1].epoch == 1 and {"fc.weight", "fc.bias"} <= changed
    assert (changed == {"fc.weight", "fc.bias"}) is (freeze == "body")


def test_trial_id_depends_on_the_content_of_weights_and_not_on_their_path(saved_network, quick_study, tmp_path):
    path, network = saved_network
    before = make_trial(quick_study, path)
    (tmp_path / "moved").mkdir()
    copy = tmp_path / "moved" / "same.pth"
    copy.write_bytes(path.read_bytes())
    assert make_trial(quick_study, copy).id == before.id
    assert make_trial(quick_study, path, freeze="body").id != before.id
    network.fc.bias.data += 1
    torch.save(network.state_dict(), path)
    assert make_trial(quick_study, path).id != before.id
    with pytest.raises(HarnessError, match="has changed since the trials were planned"):
        build(before.variant, seed=0)
