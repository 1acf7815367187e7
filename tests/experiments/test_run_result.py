"""What a run leaves, and whether it ends with a report."""

import pytest

from harness.experiments.run_result import RunResult

EIGHT = list(range(8))


@pytest.mark.parametrize(
    ("changes", "result", "is_due"),
    [
        ({"seeds": EIGHT}, RunResult(trained=32), True),
        ({"seeds": EIGHT}, RunResult(trained=9, interrupted=["cifar-plain8-w2 seed 7"], stop_reason="Ctrl-C"), False),
        ({"seeds": [1, 2]}, RunResult(interrupted=["cifar-plain8-w2 seed 2"]), True),
        ({"seeds": EIGHT, "contrasts": None}, RunResult(interrupted=["cifar-plain8-w2 seed 7"]), True),
        ({"seeds": EIGHT}, RunResult(trained=31, failed={"cifar-plain8-w2 seed 7": "broken"}), True),
        ({"seeds": EIGHT}, RunResult(trained=32, store_error="the store does not answer"), False),
    ],
    ids=["complete", "interim look", "no claims", "no contrasts", "one failed", "store away"],
)
def test_report_is_due_unless_it_would_be_an_interim_look(quick_study, changes, result, is_due):
    assert result.is_report_due(quick_study(**changes)) is is_due


def test_report_is_not_due_without_any_recorded_trial(quick_study):
    study = quick_study(seeds=[1])
    assert not RunResult(interrupted=[trial.label for trial in study.trials]).is_report_due(study)


def test_results_of_two_parts_are_joined():
    first = RunResult(2, {"a": "broken"}, ["b"], ["c"], "the store is away", "", 3.0)
    joined = first.followed_by(RunResult(1, {"d": "broken too"}, [], ["e"], "", "Ctrl-C", 4.0))
    assert joined == RunResult(
        3, {"a": "broken", "d": "broken too"}, ["b"], ["c", "e"], "the store is away", "Ctrl-C", 7.0
    )
    assert joined.is_incomplete and not RunResult(trained=3).is_incomplete
