"""The code blocks of docs/notebook.md, run one after the other."""

import re
from pathlib import Path

import harness

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "notebook.md"


def test_notebook_document_run_as_code_gives_its_results(tmp_path, monkeypatch, capsys):
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
    changes = {"name": "tiny", "variants.depth": [8], "recipe.epochs": 1, "contrasts": []}
    second = harness.run("quickstart", changes, seeds=[0, 1], launcher="inline")
    assert second.trained == 0
