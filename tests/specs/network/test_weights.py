"""The spec of pretrained weights: the hash of its file, and weights in an experiment."""

import pytest

from harness.errors import HarnessError
from harness.specs import DataInfo, load_experiment, resolve
from harness.specs.network.weights import Weights

DIGITS = DataInfo(name="digits", fingerprint="x", channels=1, classes=10, size=(8, 8), train=1437, val=0, test=360)


@pytest.fixture
def weights_file(tmp_path):
    (tmp_path / "tiny.pth").write_bytes(b"some weights")
    return tmp_path / "tiny.pth"


@pytest.fixture
def resolve_variants(experiment_file, catalogue):
    """Resolve an experiment with selections of cifar-resnet8; return its variants."""

    def make(*selections):
        variants = [{"name": "cifar-resnet8", **selection} for selection in selections]
        experiment, document = load_experiment(experiment_file(variants=variants, contrasts=None))
        return resolve(experiment, document, catalogue, DIGITS).variants

    return make


def test_with_content_hash_adds_the_hash_of_the_file(weights_file):
    assert Weights(file=str(weights_file)).with_content_hash().sha256 == "a0c76a31f14d6cbe"


def test_with_content_hash_refuses_a_file_with_another_hash_than_declared(weights_file):
    with pytest.raises(HarnessError, match="not with the declared 0000000000000000"):
        Weights(file=str(weights_file), sha256="0" * 16).with_content_hash()


def test_with_content_hash_of_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(HarnessError, match="cannot be read"):
        Weights(file=str(tmp_path / "absent.pth")).with_content_hash()


def test_variant_with_weights_has_their_hash_in_its_identity(resolve_variants, weights_file):
    fresh, pretrained = resolve_variants({"label": "a"}, {"label": "b", "set": {"weights": str(weights_file)}})
    assert fresh.weights is None and "weights" not in fresh.identity()
    assert pretrained.identity()["weights"] == {"sha256": pretrained.weights.sha256}


def test_name_of_a_variant_with_weights_has_the_name_of_the_file(resolve_variants, weights_file):
    (variant,) = resolve_variants({"set": {"weights": {"file": str(weights_file), "freeze": "body"}}})
    assert variant.name == "cifar-resnet8-from-tiny-frozen"


@pytest.mark.parametrize(
    ("file", "message"), [("nowhere.pth", "cannot be read"), ("x" * 99 + ".pth", "a shorter name with label")]
)
def test_experiment_refuses_weights_that_cannot_be_used(resolve_variants, file, message):
    with pytest.raises(HarnessError, match=message):
        resolve_variants({"set": {"weights": file}})
