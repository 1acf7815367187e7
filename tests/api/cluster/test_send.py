"""Experiments are sent to a cluster as jobs."""

import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.api import Settings
from harness.api.cluster.send import _require_code
from harness.clusters.remote.packaging import build_package
from harness.errors import HarnessError
from harness.specs import load_experiment


@pytest.mark.parametrize("checkout", [False, True])
def test_send_names_this_depthbench_unless_the_job_brings_its_own(tmp_path, monkeypatch, checkout):
    from harness.api.cluster.job_target import JobTarget
    from harness.api.cluster.send import send
    from harness.version import source_version

    sent = []

    @contextmanager
    def connect(self, ships_source=None):
        yield SimpleNamespace(submit_job=lambda *arguments: sent.append(arguments))

    monkeypatch.setattr(JobTarget, "connect", connect)
    monkeypatch.chdir(tmp_path)
    if checkout:
        (tmp_path / "harness").mkdir()
        (tmp_path / "harness/__init__.py").touch()
    settings = Settings(tmp_path / ".depthbench", reports=tmp_path / "reports")
    job = send("quickstart", JobTarget(address="http://head:8265"), settings, [])
    own = {} if checkout else {"DEPTHBENCH_SENDER": source_version()}
    assert sent[0][3] == {"DEPTHBENCH_SENT": job.job, **own}


@pytest.mark.parametrize(
    ("helper", "line", "is_sent"),
    [("blocks.py", "import blocks", True), ("lib/blocks.py", "import lib.blocks", True),
     ("data/blocks.py", "from data import blocks", False), ("ignored/blocks.py", "import ignored.blocks", False)],
)  # fmt: skip
def test_send_refuses_a_network_whose_helper_would_not_be_sent(tmp_path, monkeypatch, helper, line, is_sent):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gitignore").write_text("ignored/\n")
    (tmp_path / "nets.py").write_text(f"def make():\n    {line}\n")
    (tmp_path / helper).parent.mkdir(exist_ok=True)
    (tmp_path / helper).write_text("width = 4\n")
    content = {"name": "e", "question": "Q", "variants": [{"kind": "python", "factory": "nets:make"}]}
    content |= {"data": {"name": "digits"}, "recipe": {"epochs": 1, "batch": 8, "lr": 0.1}, "seeds": [0]}
    (tmp_path / "e.yaml").write_text(json.dumps(content))
    experiment, _ = load_experiment(tmp_path / "e.yaml")
    package = build_package(Path(), [], None)
    assert (helper in package.files) == is_sent
    if is_sent:
        _require_code(experiment, package)
        return
    with pytest.raises(HarnessError, match="needs this file, which would not be sent") as caught:
        _require_code(experiment, package)
    assert caught.value.where == helper
