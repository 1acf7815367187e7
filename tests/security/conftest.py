"""A real run of an experiment in which all free text is hostile; the tests share it."""

import os
import subprocess
import sys

import pytest
import yaml
from security.hostile import CHOICES, DIFFERENCE, EVERYTHING, FORMULAS, LINES, MARKUP, REPOSITORY, SMALL


@pytest.fixture
def quiet_place(tmp_path, monkeypatch):
    """An empty working directory, and a cache of its own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    return work


SPY = """
import os, sys
def spy(event, arguments):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        with open(os.environ["SPY_LOG"], "a") as log:
            log.write(repr((event, arguments)) + "\\n")
sys.addaudithook(spy)
"""


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory):
    """Run an experiment in which all free text is hostile; return (root, process, paths before the run)."""
    root = tmp_path_factory.mktemp("hostile")
    work = root / "deep" / "down" / "inside"
    work.mkdir(parents=True)
    labels = [MARKUP["image"] + MARKUP["rich"], MARKUP["script"] + MARKUP["shell"]]
    content = {
        "name": "hostile",
        "question": EVERYTHING[:500],
        "notes": EVERYTHING + "\n\n" + "\n\n".join([*LINES.values(), *FORMULAS.values()]),
        "data": {"name": "digits", "train_images": 256},
        "seeds": [0],
        **SMALL,
        "variants": [{**choice, "label": label} for choice, label in zip(CHOICES, labels, strict=True)],
        "contrasts": [{**DIFFERENCE, "a": labels[0], "b": labels[1]}],
    }
    (root / "hostile.yaml").write_text(yaml.safe_dump(content))
    (root / "spy").mkdir()
    (root / "tmp").mkdir()
    (root / "spy" / "sitecustomize.py").write_text(SPY)
    (root / "spy.log").write_text("")
    before = {path.relative_to(root) for path in root.rglob("*")}
    environment = {
        **os.environ,
        "PYTHONPATH": f"{root / 'spy'}:{REPOSITORY}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DEPTHBENCH_CACHE": str(root / "cache"),
        "SPY_LOG": str(root / "spy.log"),
        "TMPDIR": str(root / "tmp"),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(root / "hostile.yaml"), "--launcher", "inline"],
        cwd=work, env=environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return root, done, before
