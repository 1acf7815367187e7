"""`harness plan` of networks of own code: the files of the code, changed helpers, networks that cannot train."""

import json

import pytest
import yaml

from harness.errors import HarnessError

CODE = """
from torch import nn
def body(c, k, w={width}):
    return nn.Sequential(nn.Conv2d(c, w, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(w, k))
"""
AUXILIARY = """
from torch import nn
class Auxiliary(nn.Module):
    def __init__(self, c, k):
        super().__init__()
        self.f = nn.Linear(c * 64, k)
    def forward(self, x):
        y = self.f(x.flatten(1))
        return {"logits": y} if self.training else y
def make(in_channels, classes):
    return Auxiliary(in_channels, classes)
"""


@pytest.fixture
def work(tmp_path, monkeypatch, invoke):
    """The directory in which the commands run, with an experiment on ``mynet:make``."""
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    directory = tmp_path / "work"
    content = {
        "name": "mine", "question": "Q", "variants": [{"kind": "python", "factory": "mynet:make", "label": "mine"}],
        "data": {"name": "digits", "train_images": 200}, "recipe": {"epochs": 1, "batch": 64, "lr": 0.05},
        "seeds": [1, 2],
    }  # fmt: skip
    (directory / "mine.yaml").write_text(yaml.safe_dump(content))
    (directory / "mynet.py").write_text(
        "def make(in_channels, classes):\n    from blocks import body\n    return body(in_channels, classes)\n"
    )
    return directory


def plan(invoke):
    return json.loads(invoke("plan", "mine.yaml", "--json").output)


def test_plan_lists_the_files_of_the_code_and_a_changed_helper_makes_new_trials(work, invoke):
    (work / "blocks.py").write_text(CODE.format(width=4))
    before = plan(invoke)
    assert before["sources"] == {"mine": ["mynet.py", "blocks.py"]}
    assert "The identity of mine covers the code in mynet.py, blocks.py." in " ".join(
        invoke("plan", "mine.yaml").output.split()
    )
    (work / "blocks.py").write_text(CODE.format(width=16))
    after = plan(invoke)
    assert not {t["trial"] for t in before["trials"]} & {t["trial"] for t in after["trials"]}
    assert " 330 " in invoke("plan", "mine.yaml").output


@pytest.mark.parametrize("command", ["plan", "run"])
def test_network_with_another_output_in_training_mode_is_refused_before_a_trial_starts(work, invoke, command):
    (work / "mynet.py").write_text(AUXILIARY)
    for _ in range(2):
        with pytest.raises(HarnessError, match="mine returns dict for two images in training mode") as caught:
            invoke(command, "mine.yaml")
        assert "mine.yaml" in caught.value.where
    assert not (work / ".depthbench").exists()
