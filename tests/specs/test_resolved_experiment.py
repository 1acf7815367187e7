"""What follows from a study for all of its trials."""

import pytest

from harness.specs import Execution
from harness.specs.experiment.resolved_experiment import resolve_memory_format


@pytest.mark.parametrize(
    ("names", "given", "expected"),
    [
        (["cifar-resnet20", "cifar-plain56"], "auto", "channels_last"),
        (["resnet50"], "contiguous", "contiguous"),
        (["torchvision/densenet121"], "auto", "auto"),
        (["resnet50", "torchvision/densenet121"], "auto", "auto"),
    ],
)
def test_one_memory_format_for_all_that_is_compared(catalogue, names, given, expected):
    variants = [catalogue.get(name) for name in names]
    assert resolve_memory_format(Execution(memory_format=given), variants).memory_format == expected


def test_narrow_networks_stay_as_they_were(quick_study, catalogue):
    """Of every trial the setting is that of the study: one narrow network decides for the wide ones beside it."""
    assert quick_study().execution.memory_format == "auto"
    narrow = quick_study().variants[0]
    assert resolve_memory_format(Execution(), [catalogue.get("resnet50"), narrow]).memory_format == "auto"


def test_trials_have_the_format_of_their_study(experiment_file, harness, tmp_path):
    import pandas as pd

    wide = {"family": "cifar-resnet", "depth": [8], "shortcut": ["none", "identity"]}
    changes = {"variants": wide, "seeds": [100], "contrasts": None, "recipe": {"epochs": 1, "batch": 64, "lr": 0.05}}
    done = harness("run", experiment_file(**changes), "--launcher", "inline", "--tracking-uri", "none")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "work" / "reports" / "quick" / "results.csv", comment="#")
    assert set(table["memory_format"].dropna()) == {"channels_last"}
