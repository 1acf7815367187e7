"""The resolved experiment: its memory format, and the trials that follow from a search."""

import pytest

from harness.specs import Execution
from harness.specs.experiment.resolved.memory_format import resolve_memory_format


@pytest.mark.parametrize(
    ("names", "declared", "resolved"),
    [
        (["cifar-resnet20", "cifar-plain56"], "auto", "channels_last"),
        (["resnet50"], "contiguous", "contiguous"),
        (["torchvision/densenet121"], "auto", "auto"),
        (["resnet50", "torchvision/densenet121"], "auto", "auto"),
    ],
)
def test_memory_format_is_one_for_all_compared_variants(catalogue, names, declared, resolved):
    variants = [catalogue.get(name) for name in names]
    assert resolve_memory_format(Execution(memory_format=declared), variants).memory_format == resolved


def test_memory_format_stays_auto_if_one_network_is_narrow(quick_study, catalogue):
    assert quick_study().execution.memory_format == "auto"
    narrow = quick_study().variants[0]
    assert resolve_memory_format(Execution(), [catalogue.get("resnet50"), narrow]).memory_format == "auto"


def test_trials_have_the_memory_format_of_their_experiment(experiment_file, harness, tmp_path):
    import pandas as pd

    wide = {"family": "cifar-resnet", "depth": [8], "shortcut": ["none", "identity"]}
    changes = {"variants": wide, "seeds": [100], "contrasts": None, "recipe": {"epochs": 1, "batch": 64, "lr": 0.05}}
    done = harness("run", experiment_file(**changes), "--launcher", "inline", "--tracking-uri", "none")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "work" / "reports" / "quick" / "results.csv", comment="#")
    assert set(table["memory_format"].dropna()) == {"channels_last"}
