"""Experiments are sent to a cluster as jobs."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from harness.api import Settings


@pytest.mark.parametrize("checkout", [False, True])
def test_send_names_this_depthbench_unless_the_job_brings_its_own(tmp_path, monkeypatch, checkout):
    from harness.api.cluster.job_target import JobTarget
    from harness.api.cluster.send import send
    from harness.version import source_version

    sent = []

    @contextmanager
    def connect(self, ships_source=None):
        yield SimpleNamespace(submit_job=lambda *arguments: sent.append(arguments)), ""

    monkeypatch.setattr(JobTarget, "connect", connect)
    monkeypatch.chdir(tmp_path)
    if checkout:
        (tmp_path / "harness").mkdir()
        (tmp_path / "harness/__init__.py").touch()
    settings = Settings(tmp_path / ".depthbench", reports=tmp_path / "reports")
    job = send("quickstart", JobTarget(address="http://head:8265"), settings, [])
    own = {} if checkout else {"DEPTHBENCH_SENDER": source_version()}
    assert sent[0][3] == {"DEPTHBENCH_SENT": job.job, **own}
