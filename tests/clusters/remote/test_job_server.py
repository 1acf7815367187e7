"""The output of a job is followed once, until it ends or falls silent."""

import asyncio
from types import SimpleNamespace

import pytest

from harness.clusters.remote import job_server
from harness.clusters.remote.job_server import JobClient


def make_client(*texts, silent=False):
    """Return a client whose job prints some texts, and then ends or is silent."""

    async def tail(identity):
        for text in texts:
            yield text
        if silent:
            await asyncio.sleep(3600)

    client = JobClient.__new__(JobClient)
    client.client, client.address = SimpleNamespace(tail_job_logs=tail), "http://head"
    return client


def test_follow_output_skips_what_was_shown_before():
    shown = []
    assert make_client("one ", "two ", "three").follow_output("x", shown.append, skip=6) == 13
    assert shown == ["o ", "three"]


def test_follow_output_of_a_silent_job_returns(monkeypatch):
    monkeypatch.setattr(job_server, "SILENT_SECONDS", 0.1)
    shown = []
    assert make_client("one", silent=True).follow_output("x", shown.append) == 3
    assert shown == ["one"]


@pytest.mark.parametrize("error", [BrokenPipeError(), UnicodeEncodeError("ascii", "\u2013", 0, 1, "no")])
def test_error_of_the_caller_is_not_a_lost_connection(error):
    def fail(text):
        raise error

    with pytest.raises(type(error)):
        make_client("one").follow_output("x", fail)
