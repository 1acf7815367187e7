"""What docs/notebook.md shows runs as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest

import harness

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "notebook.md"


def test_the_notebook_s_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    assert len(blocks) == 5
    names = {}
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)
    assert names["net"].fc.out_features == 10 and names["wide"].fc.out_features == 100
    assert list(names["last"]["seed"]) == [0, 1] * 2
    assert set(names["table"]["epoch"]) == {0, 1}
    assert "there is no variant 'resnet35'. Did you mean" in capsys.readouterr().out
    assert (tmp_path / "reports" / "tiny" / "README.md").is_file()
    again = harness.run("quickstart", {"name": "tiny", "variants.depth": [8], "recipe.epochs": 1, "contrasts": []},
                        seeds=[0, 1], launcher="inline")  # fmt: skip
    assert again.trained == 0


def test_wrong_input_of_a_notebook():
    with pytest.raises(harness.HarnessError, match="there is no field 'depht'"):
        harness.build("resnet18", depht=3)
    with pytest.raises(harness.HarnessError, match="smaller than the total stride"):
        harness.cost("resnet18", 16)
    with pytest.raises(harness.HarnessError, match="is no shape of images"):
        harness.cost("resnet18", "big")
    with pytest.raises(harness.HarnessError, match="taken as it is"):
        harness.build(harness.variant("resnet18"), classes=3)
    with pytest.raises(harness.HarnessError, match="no experiment 'absent'"):
        harness.run("absent")
    with pytest.raises(harness.HarnessError, match="no launcher 'foo'"):
        harness.run("quickstart", launcher="foo", seeds=[0])
    with pytest.raises(harness.HarnessError, match="there is no device 'bogus'"):
        harness.build("cifar-resnet20", device="bogus")
    assert harness.cost("resnet18", (3, 64, 64)) == harness.cost("resnet18", "3x64x64") == harness.cost("resnet18", 64)
    assert harness.variant("mobilenet_v3_small", args={"dropout": 1e-5}).args == {"dropout": 1e-5}
    assert harness.build("cifar-resnet20", classes=np.int64(7)).fc.out_features == 7
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        harness.train  # noqa: B018
