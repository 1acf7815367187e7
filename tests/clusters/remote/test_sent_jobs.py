"""The jobs that were sent from this machine are found again."""

import pytest

from harness.clusters.remote.sent_jobs import SentJob, find_newest_sent_job, list_sent_jobs, save_sent_job
from harness.errors import HarnessError


def test_sent_jobs_are_listed_newest_first_and_found_by_name(tmp_path):
    first = SentJob(job="a-1", experiment="a", cluster="/c.yaml", at=1)
    other = SentJob(job="b-1", experiment="b", cluster="/c.yaml", at=2)
    last = SentJob(job="a-2", experiment="a", address="http://head:8265", at=3)
    for sent in (last, first, other):
        save_sent_job(tmp_path, sent)
    (tmp_path / "jobs/half.json").write_text('{"job": ')
    assert list_sent_jobs(tmp_path) == [last, other, first]
    assert find_newest_sent_job(tmp_path, None) == last
    assert find_newest_sent_job(tmp_path, "b") == other
    assert find_newest_sent_job(tmp_path, "a-1") == first
    with pytest.raises(HarnessError, match="no job of c was sent"):
        find_newest_sent_job(tmp_path, "c")
