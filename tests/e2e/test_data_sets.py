"""An experiment on two data sets of unequal images and classes, really trained: record, trials, report."""

import pytest
import yaml
from trial_helpers import SILENT_CONSOLE

from harness.api import Settings, load_resolved_experiment, plan, report, run
from harness.api.trials.discard import discard
from harness.api.trials.find import open_index
from harness.api.trials.rerun import rerun
from harness.tracking.results_csv import read_csv

pytestmark = pytest.mark.slow


@pytest.fixture
def experiment(experiment_file, image_folder):
    """The file of an experiment with two variants, one seed and two data sets."""
    data = [
        {"name": "digits", "train_images": 128},
        {"name": "imagefolder", "root": str(image_folder(each=24)), "image_size": 12, "label": "drawings"},
    ]
    return experiment_file(
        data=data,
        variants={"family": "cifar-resnet", "depth": 8, "shortcut": ["none", "identity"], "set": {"widths": [2, 4, 8]}},
        recipe={"epochs": 1, "batch": 32, "lr": 0.05},
        seeds=[3],
        contrasts=None,
    )


def test_two_data_sets_are_trained_recorded_and_reported(experiment, tmp_path):
    from mlflow import MlflowClient

    settings = Settings(tmp_path / "home", launcher="inline", reports=tmp_path / "reports")
    study = load_resolved_experiment(str(experiment))
    result = run(study, settings, SILENT_CONSOLE)
    assert result.trained == 4
    assert not result.failed

    client = MlflowClient(f"sqlite:///{tmp_path / 'home' / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("quick").experiment_id])
    top = {r.info.run_name: r for r in runs if r.data.tags["depthbench.kind"] == "variant"}
    assert set(top) == {
        f"cifar-{kind}8-w2 on {data}" for kind in ("plain", "resnet") for data in ("digits", "drawings")
    }
    for name, variant_run in top.items():
        info = next(info for info in study.data_sets if name.endswith(info.title))
        inputs = variant_run.inputs.dataset_inputs
        assert [i.dataset.digest for i in inputs] == [info.fingerprint]
        assert variant_run.data.tags["dataset"] == info.name
        children = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == variant_run.info.run_id]
        assert [child.data.tags["dataset"] for child in children] == [info.name]

    report("quick", settings)
    directory = tmp_path / "reports" / "quick"
    assert (directory / "data-sets" / "drawings" / "README.md").is_file()
    results = read_csv(directory / "results.csv")
    assert results.epochs.groupby("data")["trial"].nunique().to_dict() == {"digits": 2, "drawings": 2}
    assert "images" not in (directory / "experiment.yaml").read_text().split("train_images")[0]


def test_trials_of_one_data_set_are_discarded_and_trained_again(experiment, tmp_path):
    settings = Settings(tmp_path / "home", launcher="inline", tracking_uri="none")
    study = load_resolved_experiment(str(experiment))
    run(study, settings, SILENT_CONSOLE)
    trial = study.views[1].trials[0]

    again = rerun(trial.id, settings, SILENT_CONSOLE)
    assert again.after is not None
    assert again.after.epochs[-1].metrics["train/loss"] == again.before.epochs[-1].metrics["train/loss"]

    discard([trial.id], "a test", settings)
    assert [p.trial.label for p in plan(study, settings).to_run] == ["cifar-plain8-w2 on drawings seed 3"]
    assert run(study, settings, SILENT_CONSOLE).trained == 1
    index, _ = open_index(["quick"], settings)
    assert {summary.label for summary in index.list_trials("quick")} == {trial.label for trial in study.trials}


def test_trials_of_an_experiment_on_one_of_the_data_sets_are_not_trained_twice(experiment, tmp_path):
    settings = Settings(tmp_path / "home", launcher="inline", tracking_uri="none")
    content = yaml.safe_load(experiment.read_text())
    alone = tmp_path / "alone.yaml"
    alone.write_text(yaml.safe_dump({**content, "name": "alone", "data": content["data"][0]}))
    run(load_resolved_experiment(str(alone)), settings, SILENT_CONSOLE)
    assert run(load_resolved_experiment(str(experiment)), settings, SILENT_CONSOLE).trained == 2
