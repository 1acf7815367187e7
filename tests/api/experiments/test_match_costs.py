"""Matches with external networks, whose costs are counted on the network itself, and matches through the real CLI."""

import pytest
import yaml

from harness.api import load_resolved_experiment
from harness.api.experiments.match_costs import ExperimentCosts
from harness.costs.complexity import compute_static_costs
from harness.errors import HarnessError
from harness.settings import Settings
from harness.specs.matching.match import FoundMatch
from tests.conftest import QUICK

FOUND = FoundMatch(
    key="k" * 20, variant="a", result="b", to="c", fields={"widths": [9]}, cost=1.0, target=1.0, ratio=1.0
)


def write(path, variants, **changes):
    fields = {**QUICK, "variants": variants, "contrasts": [], "seeds": [1], **changes}
    path.write_text(yaml.safe_dump(fields, sort_keys=False))
    return str(path)


def test_measured_match_is_recalled_in_the_next_run_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    costs = ExperimentCosts("exp", Settings(home=tmp_path / "home", tracking_uri="none"))
    assert costs.recall(FOUND.key) is None
    costs.remember(FOUND)
    assert costs.recall(FOUND.key) == FOUND
    assert costs.recall("another") is None


def test_argument_of_an_external_network_is_matched_to_another_network(tmp_path, network_factories):
    # It has 20 width + 10 parameters and 586 width MACs; the perceptron has 650 and 640.
    perceptron = {"kind": "python", "factory": "nets:perceptron", "label": "perceptron"}
    own = {"kind": "python", "factory": "nets:small", "args": {"width": 4}, "label": "own"}
    match = {"by": "params", "to": "perceptron", "argument": "width"}
    study = load_resolved_experiment(write(tmp_path / "e.yaml", [perceptron, {**own, "match": match}]))
    assert study.variants[1].args == {"width": 32}
    (found,) = study.experiment.variants[1].match.found
    assert (found.fields, found.ratio) == ({"args": {"width": 32}}, 1)

    path = write(tmp_path / "e.yaml", [perceptron, {**own, "match": {**match, "by": "macs"}}])
    with pytest.raises(HarnessError) as error:
        load_resolved_experiment(path)
    assert "args {'width': 1}: 0.916 times; args {'width': 2}: 1.831 times" in error.value.what
    assert error.value.where.endswith(", variants.1.match")


@pytest.mark.slow
def test_widths_of_a_resnet_are_matched_to_densenet121_of_torchvision(tmp_path, monkeypatch, image_folder):
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    data = {"name": "imagefolder", "root": str(image_folder(each=40)), "image_size": 32}
    resnet = {"name": "resnet18", "match": {"by": "macs", "to": "torchvision/densenet121"}}
    study = load_resolved_experiment(write(tmp_path / "e.yaml", ["torchvision/densenet121", resnet], data=data))
    densenet, matched = (compute_static_costs(variant, (32, 32)).macs for variant in study.variants)
    assert abs(matched / densenet - 1) <= 0.01
    assert study.variants[1].name == "resnet18-macs-of-torchvision/densenet121"
    assert study.variants[1].widths[3] == pytest.approx(8 * study.variants[1].widths[0], abs=8)
