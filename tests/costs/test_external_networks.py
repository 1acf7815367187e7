"""Costs of external networks: counted by fvcore, checked against torch's counter, and cached."""

import pytest

from harness.costs.complexity import count_network, read_cached_costs
from harness.models import build
from harness.specs import Catalogue, ExternalNetwork


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("kind", "name", "size"),
    [
        ("torchvision", "mobilenet_v3_small", 32),
        ("torchvision", "densenet121", 32),
        ("torchvision", "inception_v3", 75),
        ("timm", "resnet26d", 32),
    ],
)
def test_counters_agree_on_a_library_network(kind, name, size):
    spec = ExternalNetwork(kind=kind, factory=name, in_channels=1, classes=7).with_content_hash()
    costs = count_network(spec, (size, size))
    assert costs.counter == "fvcore", "otherwise the two counters differ"
    assert costs.params == sum(p.numel() for p in build(spec, device="meta").parameters())
    assert costs.macs > 0 and costs.layers > 10


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "spec",
    [variant for variant, _ in Catalogue.shipped().networks() if isinstance(variant, ExternalNetwork)],
    ids=lambda spec: spec.name,
)
def test_counters_agree_on_the_external_networks_of_the_catalogue(spec):
    assert count_network(spec.with_content_hash(), (96, 96)).counter == "fvcore"


def test_count_network_reads_the_costs_that_it_counted_before(network_factories):
    spec = ExternalNetwork(kind="python", factory="nets:small", in_channels=1, classes=10).with_content_hash()
    assert read_cached_costs(spec, (8, 8)) is None
    costs = count_network(spec, (8, 8))
    assert (costs.params, costs.macs, costs.layers) == (4 * 9 + 4 + 50, 64 * 36 + 40, 2)
    assert read_cached_costs(spec, (8, 8)) == costs
    assert read_cached_costs(spec, (9, 8)) is None


def test_count_of_a_vision_transformer_has_the_linear_layers_of_its_attention():
    """Each of 12 blocks has 4 d^2 + 2 d m MACs for each of 197 tokens; the stem and the head come on top."""
    tokens, width, mlp = 197, 768, 3072
    blocks = 12 * tokens * (4 * width**2 + 2 * width * mlp)
    expected = blocks + 196 * width * 3 * 16 * 16 + width * 1000
    spec = ExternalNetwork(kind="torchvision", factory="vit_b_16").with_content_hash()
    costs = count_network(spec, (224, 224))
    assert (costs.macs, costs.counter) == (expected, "fvcore")
