"""The file of an attempt, which keeps the format of earlier versions."""

import pytest

from harness.execution.attempts import Attempt
from harness.processes import Process
from harness.specs.experiment.trial_status import TrialStatus


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("", None),
        ("finished", TrialStatus.FINISHED),
        ("diverged", TrialStatus.DIVERGED),
        ("stopped", TrialStatus.INTERRUPTED),
        ("failed", TrialStatus.FAILED),
        ("superseded", TrialStatus.SUPERSEDED),
    ],
)
def test_attempt_file_keeps_the_names_of_earlier_versions(name, status):
    process = '{"host":"h","pid":1,"born":"2","system":"s"}'
    content = (
        f'{{"number":1,"launch":"x","token":"t","process":{process},"started":5,"epoch":0,"step":0,'
        f'"notes":["n"],"error":"","trace":"","ended":"{name}"}}'
    ).encode()
    attempt = Attempt.from_json(content)
    assert attempt.end_status is status
    assert attempt.to_json() == content


def test_attempt_of_a_pruned_trial_is_stored_as_stopped():
    attempt = Attempt(number=1, launch="x", process=Process.current(), started=0, end_status=TrialStatus.PRUNED)
    assert b'"ended":"stopped"' in attempt.to_json()
