"""The trials of all experiments of a store, and the states by which they are listed."""

import json

import pytest
from trial_helpers import SILENT_CONSOLE

from harness.api import Settings, run
from harness.api.trials.find import find_trial, open_index, parse_states
from harness.errors import HarnessError
from harness.specs.experiment.trial_status import TrialStatus


def test_empty_home_has_no_trials_and_stays_empty(settings):
    assert open_index((), settings)[0].records == {}
    with pytest.raises(HarnessError, match="no trial's id starts"):
        find_trial("abcdef", settings)
    with pytest.raises(HarnessError, match="no experiment 'quick' is recorded"):
        open_index(["quick"], settings)
    with pytest.raises(HarnessError, match="not the name"):
        open_index(["../quick"], settings)
    assert not settings.home.exists()


def test_experiment_that_cannot_be_read_hides_no_other(one_seed_study, tmp_path):
    settings = Settings(tmp_path / "home", "none", "inline", reports=tmp_path / "reports")
    run(one_seed_study, settings, SILENT_CONSOLE)
    (settings.home / "studies" / "bad.json").write_text(json.dumps({"no": "study"}))
    index, unreadable = open_index((), settings)
    assert (list(index.records), list(unreadable)) == (["quick"], ["bad"])


@pytest.mark.parametrize("status", TrialStatus)
def test_every_state_is_named_by_its_value(status):
    assert parse_states([status.value]) == {status}


def test_names_of_earlier_versions_are_still_accepted():
    assert parse_states(["recorded", "died", "stopped"]) == {TrialStatus.FINISHED, TrialStatus.INTERRUPTED}


def test_unknown_state_is_an_error_that_suggests_one():
    with pytest.raises(HarnessError, match=r"'fail' is not a state of a trial\. Did you mean 'failed'"):
        parse_states(["fail"])
