"""The history: its format, its words for outcomes, and how it is read from checkpoints."""

import json

import pytest
from tracking.helpers import make_history

from harness.errors import HarnessError
from harness.io.archives import pack_archive
from harness.io.checkpoint_names import Checkpoint
from harness.io.storage import Folder
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.history import HISTORY_FILE, NewerFormat, WrongTrial, parse_history, read_newest_history


@pytest.fixture
def trial(quick_study):
    return quick_study().trials[0]


def write_checkpoint(folder, history, epoch=2):
    content = pack_archive({HISTORY_FILE: history.model_dump_json().encode()})
    folder.write(Checkpoint(1, epoch).name, content)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (TrialStatus.RUNNING, "running"),
        (TrialStatus.FINISHED, "finished"),
        (TrialStatus.DIVERGED, "diverged"),
        (TrialStatus.PRUNED, "stopped"),
    ],
)
def test_history_json_keeps_its_word_for_each_outcome(trial, status, word):
    history = make_history(trial, outcome=status)
    content = history.model_dump_json()
    assert json.loads(content)["outcome"] == word
    parsed = parse_history(content, "x")
    assert parsed == history and parsed.outcome is status
    assert parsed.is_complete == (status is not TrialStatus.RUNNING)


@pytest.mark.parametrize("word", ["pruned", "interrupted", "failed", "", None])
def test_parse_history_with_an_unknown_outcome_raises(trial, word):
    content = json.loads(make_history(trial).model_dump_json()) | {"outcome": word}
    with pytest.raises(HarnessError, match="cannot read this history"):
        parse_history(json.dumps(content), "x")


def test_parse_history_of_a_newer_format_raises(trial):
    content = json.loads(make_history(trial).model_dump_json()) | {"format": 99}
    with pytest.raises(NewerFormat, match="Upgrade"):
        parse_history(json.dumps(content), "x")


def test_parse_history_of_format_1_has_no_values_by_layer(trial):
    history = make_history(trial)
    content = json.loads(history.model_dump_json(exclude={"layers"})) | {"format": 1}
    assert parse_history(json.dumps(content), "x") == history.model_copy(update={"layers": {}, "format": 1})


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "2"}', '{"format": 2}'])
def test_parse_history_of_something_else_raises(content):
    with pytest.raises(HarnessError, match="history") as caught:
        parse_history(content, "the file")
    assert caught.value.where == "the file"


def test_with_epoch_stores_values_that_are_not_finite_as_none(trial):
    history = make_history(trial).with_epoch(3, {"train/error": 1.5, "train/loss": float("nan"), "grad/first": -1e999})
    assert history.last_epoch == 3
    assert history.epochs[-1].metrics == {"train/error": 1.5, "train/loss": None, "grad/first": None}


def test_with_epoch_after_the_clock_was_set_back_keeps_times_in_order(trial, monkeypatch):
    history = make_history(trial)
    monkeypatch.setattr("harness.tracking.history.time.time", lambda: 1.0)
    assert history.with_epoch(3, {}).epochs[-1].at == history.epochs[-1].at


def test_read_newest_history_after_damage_warns_and_returns_the_one_before(trial, tmp_path):
    folder = Folder.from_location(tmp_path)
    for epoch in (1, 2):
        write_checkpoint(folder, make_history(trial, epoch, outcome=TrialStatus.RUNNING), epoch)
    newest = tmp_path / Checkpoint(1, 2).name
    newest.write_bytes(newest.read_bytes()[:50])
    with pytest.warns(UserWarning, match=f"the damaged checkpoint {newest.name} is skipped"):
        history = read_newest_history(folder, trial.id)
    assert history.last_epoch == 1


def test_read_newest_history_without_checkpoints_returns_none(trial, tmp_path):
    assert read_newest_history(Folder.from_location(tmp_path / "none"), trial.id) is None


def test_read_newest_history_of_another_trial_raises(trial, tmp_path):
    folder = Folder.from_location(tmp_path)
    write_checkpoint(folder, make_history(trial))
    with pytest.raises(WrongTrial, match=f"of trial {trial.id}, in the folder of trial 0123456789ab"):
        read_newest_history(folder, "0123456789ab")
