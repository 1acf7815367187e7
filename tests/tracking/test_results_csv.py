"""The file results.csv: what is written is read back exactly, and a damaged file is refused."""

import json
from dataclasses import replace

import pytest
from reporting_helpers import make_results, make_study
from tracking.helpers import make_history

from harness.errors import HarnessError
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.results_csv import read_csv, write_csv
from harness.tracking.results_table import LAYERS_COLUMN, build_results_table


def test_read_csv_returns_what_write_csv_wrote(study, tmp_path):
    results = build_results_table(study, [make_history(trial, offset=trial.seed % 10) for trial in study.trials])
    write_csv(results, tmp_path / "results.csv")
    read = read_csv(tmp_path / "results.csv")
    assert read.study.to_record_json() == study.to_record_json()
    assert read.epochs.equals(results.epochs)
    write_csv(read, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "results.csv").read_bytes()


def test_write_csv_keeps_the_file_s_word_for_a_pruned_trial(study, tmp_path):
    first, *rest = study.trials
    histories = [make_history(first, outcome=TrialStatus.PRUNED), *map(make_history, rest)]
    results = build_results_table(study, histories)
    assert set(results.epochs["outcome"]) == {TrialStatus.PRUNED, TrialStatus.FINISHED}
    write_csv(results, tmp_path / "results.csv")
    assert ",stopped," in (tmp_path / "results.csv").read_text()
    assert read_csv(tmp_path / "results.csv").epochs.equals(results.epochs)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda text: text.replace("train/error_clean", "x", 1), id="another column name"),
        pytest.param(lambda text: text.partition("\n")[0] + "\n", id="only the header"),
        pytest.param(lambda text: "a,b\n1,2\n", id="another table"),
    ],
)
def test_read_csv_of_a_damaged_file_raises(study, tmp_path, damage):
    write_csv(build_results_table(study, map(make_history, study.trials)), tmp_path / "results.csv")
    (tmp_path / "results.csv").write_text(damage((tmp_path / "results.csv").read_text()))
    with pytest.raises(HarnessError):
        read_csv(tmp_path / "results.csv")


def test_read_csv_without_the_file_raises(tmp_path):
    with pytest.raises(HarnessError, match="cannot be read as a results table"):
        read_csv(tmp_path / "results.csv")


@pytest.mark.parametrize("revision", ["127032774e15", "0012345", "1e999", "nan"])
def test_read_csv_leaves_text_that_looks_like_a_number(revision, tmp_path):
    study = make_study(seeds=[10], variants=[{"name": "cifar-resnet8", "label": "None"}], contrasts=[])
    results = make_results(study, provenance={("None", 10): {"revision": revision}})
    write_csv(results, tmp_path / "results.csv")
    read = read_csv(tmp_path / "results.csv")
    assert set(read.epochs["revision"]) == {revision} and set(read.epochs["variant"]) == {"None"}
    write_csv(read, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "results.csv").read_bytes()


@pytest.mark.parametrize("label", ["1e3", "NA", "null", "nan", "N/A", "True", "010", "1:30", ".inf", 'a,"b"', "#x"])
def test_read_csv_leaves_a_label_that_looks_like_another_value(label, tmp_path):
    study = make_study(seeds=[10], variants=[{"name": "cifar-resnet8", "label": label}], contrasts=[])
    results = make_results(study)
    write_csv(results, tmp_path / "results.csv")
    read = read_csv(tmp_path / "results.csv")
    assert list(read.epochs["variant"]) == [label] * len(results.epochs)
    assert read.epochs.equals(results.epochs) and read.study == study


@pytest.mark.parametrize(
    "profile",
    ["no json", "7", '{"layers":2,"gradient":[1.0]}', '{"layers":2,"gradient":[1.0,-3.0]}', '{"gradient":[]}'],
)
def test_read_csv_refuses_a_damaged_layer_profile(tmp_path, profile):
    path, results = tmp_path / "results.csv", make_results(make_study())
    epochs = results.epochs.copy()
    epochs.loc[epochs.index[0], LAYERS_COLUMN] = profile
    write_csv(replace(results, epochs=epochs), path)
    with pytest.raises(HarnessError) as caught:
        read_csv(path)
    assert "layers" in caught.value.what
    assert "row 2" in caught.value.where


def test_layer_profiles_are_compact_json_in_the_first_and_the_last_epoch():
    epochs = make_results(make_study()).epochs
    rows = epochs[epochs[LAYERS_COLUMN] != ""]
    assert sorted(rows["epoch"].unique()) == [0, 10]
    assert not rows[LAYERS_COLUMN].str.contains(" ").any()
    assert [json.loads(text)["layers"] for text in rows[LAYERS_COLUMN]] == (rows["depth"] - 1).tolist()
