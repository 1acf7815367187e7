"""The index of trials: found by the first digits of an id, also with other settings or without checkpoints."""

import shutil

import pytest
from trial_helpers import SILENT_CONSOLE

from harness.api import Settings, run
from harness.api.trials.clean_up import clean_up
from harness.api.trials.find import find_trial, open_index
from harness.api.trials.rerun import rerun
from harness.errors import HarnessError
from harness.specs.experiment.trial_status import TrialStatus

pytestmark = pytest.mark.filterwarnings("ignore:.*damaged")


def test_trial_is_found_by_the_first_digits_of_its_id(one_seed_study, settings, monkeypatch):
    run(one_seed_study, settings, SILENT_CONSOLE)
    first = one_seed_study.trials[0].id
    trial, index = find_trial(first[:4].upper(), settings)
    assert (trial.id, trial.label) == (first, one_seed_study.trials[0].label)
    twin = first[:4] + "0" * 8
    monkeypatch.setattr(type(index), "list_all_ids", lambda self: [first, twin])
    with pytest.raises(HarnessError, match="2 trials' ids start with") as refused:
        find_trial(first[:4], settings)
    assert first in refused.value.what and one_seed_study.trials[0].label in refused.value.what


@pytest.mark.parametrize(
    ("prefix", "words"),
    [("12", "not the id"), ("x" * 12, "not the id"), ("../..", "not the id"), ("0" * 12, "no trial's id starts")],
)
def test_unknown_id_is_refused_with_the_command_that_lists_ids(settings, prefix, words):
    with pytest.raises(HarnessError, match=words) as refused:
        find_trial(prefix, settings)
    assert "harness trials" in refused.value.remedy


def test_trials_of_earlier_settings_are_listed_but_not_trained(one_seed_study, quick_study, settings):
    run(one_seed_study, settings, SILENT_CONSOLE)
    run(quick_study(seeds=[101]), settings, SILENT_CONSOLE)
    earlier = [trial for trial in open_index(["quick"], settings)[0].list_trials("quick") if not trial.is_current]
    if settings.tracking_uri is None:
        assert {trial.id for trial in earlier} == {trial.id for trial in one_seed_study.trials}
        assert {(trial.status, trial.seed) for trial in earlier} == {(TrialStatus.FINISHED, 100)}
    first = one_seed_study.trials[0]
    trial, _ = find_trial(first.id, settings)
    assert (trial.label, trial.status, trial.is_current) == (first.label, TrialStatus.FINISHED, False)
    with pytest.raises(HarnessError, match="other settings"):
        rerun(trial.id, settings, SILENT_CONSOLE)
    assert clean_up((), settings).freed > 0
    assert not find_trial(trial.id, settings)[0].damage


def test_trial_without_checkpoints_has_its_history_from_the_record(one_seed_study, tmp_path):
    settings = Settings(home=tmp_path / "home", launcher="inline", reports=tmp_path / "reports")
    run(one_seed_study, settings, SILENT_CONSOLE)
    shutil.rmtree(settings.home / "trials")
    index, _ = open_index((), settings)
    trial = index.list_trials("quick")[0]
    assert (trial.status, trial.epoch, trial.epochs, trial.history) == (TrialStatus.FINISHED, 2, 2, None)
    assert index.with_recorded_history(trial).history.last_epoch == 2
