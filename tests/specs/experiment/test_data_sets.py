"""A list of data sets: what the field `data` accepts, and the views of the resolved experiment."""

import json

import pytest
from reporting_helpers import INFO, QUICKSTART, make_study

from harness.errors import HarnessError
from harness.io.yaml_documents import Document
from harness.specs import Catalogue, ResolvedExperiment, load_experiment, resolve
from harness.specs.experiment.data import MOST_DATA_SETS
from harness.specs.experiment.experiment import Experiment

LARGER = INFO.model_copy(
    update={"name": "fashion-mnist", "fingerprint": "1" * 16, "size": (28, 28), "channels": 3, "classes": 5}
)
BOTH = [{"name": "digits"}, {"name": "fashion-mnist"}]


@pytest.fixture
def study():
    return resolve_data(BOTH, [INFO, LARGER])


def resolve_data(data, infos, **changes):
    experiment = Experiment.model_validate({**QUICKSTART, **changes, "data": data})
    return resolve(experiment, Document("planted.yaml", {}), Catalogue.load(), infos)


def write_experiment(directory, data, **changes):
    path = directory / "sets.yaml"
    lines = [f"{key}: {json.dumps(value)}" for key, value in {**QUICKSTART, **changes}.items() if key != "data"]
    entries = ["data:", *(f"  - {json.dumps(each)}" for each in data)] if data else ["data: []"]
    path.write_text("\n".join([*lines, *entries, ""]))
    return path


def test_trials_of_several_data_sets_are_variants_times_data_sets_times_seeds(study):
    assert len(study.trials) == 2 * 6 * 8
    assert len({trial.id for trial in study.trials}) == 96
    assert {trial.data.name for trial in study.trials} == {"digits", "fashion-mnist"}


def test_trials_of_several_data_sets_have_the_ids_of_experiments_on_one():
    alone = {trial.id for trial in make_study().trials}
    first, second = resolve_data(BOTH, [INFO, LARGER]).views
    assert {trial.id for trial in first.trials} == alone
    assert not {trial.id for trial in second.trials} & alone


def test_variants_of_a_view_have_channels_and_classes_of_its_data(study):
    assert {(v.in_channels, v.classes) for v in study.views[0].variants} == {(1, 10)}
    assert {(v.in_channels, v.classes) for v in study.views[1].variants} == {(3, 5)}
    for trial in study.trials:
        view = study.view_of(trial)
        assert (view.data.name, view.data.classes) == (trial.data.name, trial.variant.classes)


def test_names_of_trials_end_with_their_data_set_and_are_distinct(study):
    assert study.trials[0].label == "cifar-plain8-w8 on digits seed 10"
    assert len({trial.label for trial in study.all_trials}) == 96
    assert [variant.name for variant in study.views[1].variants] == [variant.name for variant in make_study().variants]


def test_view_of_a_single_data_set_is_the_experiment_itself():
    study = make_study()
    assert study.views == (study,)
    assert study.view_of(study.trials[0]) is study


def test_list_of_one_data_set_is_that_data_set():
    assert resolve_data([{"name": "digits"}], INFO) == make_study()


def test_data_of_several_data_sets_is_asked_of_a_view_only(study):
    with pytest.raises(ValueError, match="too many values"):
        _ = study.data


def test_record_of_several_data_sets_is_read_back_and_holds_no_directory():
    data = [{"name": "digits", "root": "/secret/place"}, {"name": "fashion-mnist", "label": "clothes"}]
    study = resolve_data(data, [INFO, LARGER.model_copy(update={"label": "clothes"})])
    text = study.to_record_json()
    assert "/secret/place" not in text
    again = ResolvedExperiment.model_validate_json(text)
    assert [trial.id for trial in again.trials] == [trial.id for trial in study.trials]
    assert again.trials[-1].label == "cifar-resnet32-w8 on clothes seed 17"


def test_record_of_a_single_data_set_has_the_form_of_earlier_versions():
    fields = json.loads(make_study().to_record_json())
    assert fields["data"]["name"] == fields["experiment"]["data"]["name"] == "digits"
    assert "family_data_sets" not in fields


def test_label_is_in_no_identity(study):
    labelled = resolve_data([{"name": "digits", "label": "scans"}, BOTH[1]], [INFO, LARGER])
    assert [trial.id for trial in labelled.trials] == [trial.id for trial in study.trials]


def test_verdicts_of_all_data_sets_share_the_level(study):
    assert study.verdict_count == 2
    assert [view.verdict_count for view in study.views] == [2, 2]
    assert make_study().verdict_count == 1
    assert len(set(study.contrast_keys)) == 2


@pytest.mark.parametrize(
    ("data", "field", "message"),
    [
        ([], "data", "at least 1 item"),
        ([{"name": "digits"}, {"name": "digits"}], "data", "entry 1 is the same data set as entry 0"),
        ([{"name": "digits"}, {"name": "digits", "label": "b"}], "data", "is the same data set"),
        ([{"name": "digits"}, {"name": "digits", "split_seed": 1}], "data", "two data sets are called digits"),
        ([{"name": "digits", "label": "a b"}, BOTH[1]], "data.0.label", "pattern"),
        ([{"name": "digits"}, {"nam": "x", "name": "digits"}], "data.1.nam", "there is no field 'nam'"),
        ([{"name": "digits"}, {}], "data.1.name", "the field 'name' is missing"),
        ([{"name": "digits"}, "digits"], "data.1", "is not valid"),
        ([{"name": "digits", "label": f"d{n}"} for n in range(MOST_DATA_SETS + 1)], "data", "at most 20 items"),
    ],
)
def test_list_that_is_not_valid_is_refused_with_its_place(tmp_path, data, field, message):
    with pytest.raises(HarnessError) as caught:
        load_experiment(write_experiment(tmp_path, data))
    assert message in str(caught.value)
    assert f", {field}: " in str(caught.value)
    assert "several data sets" not in str(caught.value).replace("is a list of several", "")


def test_error_in_the_second_data_set_names_its_line(tmp_path):
    path = write_experiment(tmp_path, [{"name": "digits"}, {"name": "digits", "split_sed": 1}])
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "split_sed" in text)
    with pytest.raises(HarnessError, match=f"sets.yaml:{line}, data.1.split_sed"):
        load_experiment(path)


@pytest.mark.parametrize("field", ["tune", "decide"])
def test_field_that_needs_one_data_set_is_refused(tmp_path, field):
    value = {
        "tune": {"samples": 2, "fields": {"lr": [0.01, 0.1]}},
        "decide": {"first": 8, "step": 4, "most": 16},
    }[field]
    data = [{"name": "digits", "val_fraction": 0.1}, {"name": "fashion-mnist", "val_fraction": 0.1}]
    with pytest.raises(HarnessError, match=f"{field} works with one data set") as caught:
        load_experiment(write_experiment(tmp_path, data, **{field: value}))
    assert f", {field}" in caught.value.where


def test_match_with_several_data_sets_is_refused(tmp_path):
    variants = ["resnet18", {"name": "plain18", "match": {"by": "macs", "to": "resnet18"}}]
    with pytest.raises(HarnessError, match="match finds a network of equal cost on one data set"):
        load_experiment(write_experiment(tmp_path, BOTH, variants=variants, contrasts=[]))


def test_two_data_sets_of_equal_content_are_refused():
    data = [{"name": "imagefolder", "root": "/a", "label": "a"}, {"name": "imagefolder", "root": "/b", "label": "b"}]
    info = LARGER.model_copy(update={"name": "imagefolder"})
    infos = [info.model_copy(update={"label": label}) for label in "ab"]
    with pytest.raises(HarnessError, match="b has the same images and the same splits as a") as caught:
        resolve_data(data, infos)
    assert "data.1" in caught.value.where


def test_too_many_trials_on_all_data_sets_are_refused():
    data = [{"name": "digits", "label": f"d{n}", "split_seed": n} for n in range(12)]
    infos = [INFO.model_copy(update={"label": f"d{n}"}) for n in range(12)]
    with pytest.raises(HarnessError, match="on 12 data sets give more than 10,000 trials"):
        resolve_data(data, infos, seeds=list(range(200)), contrasts=[])


def test_facts_of_other_data_sets_are_refused(study):
    fields = json.loads(study.to_record_json())
    fields["data"] = fields["data"][:1]
    with pytest.raises(ValueError, match="facts of each data set"):
        ResolvedExperiment.model_validate_json(json.dumps(fields))
