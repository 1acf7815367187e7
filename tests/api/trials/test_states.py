"""States of trials by their names."""

import pytest

from harness.api.trials.states import parse_states
from harness.errors import HarnessError
from harness.specs.experiment.trial_status import TrialStatus


@pytest.mark.parametrize("status", TrialStatus)
def test_every_state_is_named_by_its_value(status):
    assert parse_states([status.value]) == {status}


def test_names_of_earlier_versions_are_still_accepted():
    assert parse_states(["recorded", "died", "stopped"]) == {TrialStatus.FINISHED, TrialStatus.INTERRUPTED}


def test_unknown_state_is_an_error_that_suggests_one():
    with pytest.raises(HarnessError, match=r"'fail' is not a state of a trial\. Did you mean 'failed'"):
        parse_states(["fail"])
