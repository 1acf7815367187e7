"""Published results stand only beside networks and data that are the same."""

import pytest
from reporting.conftest import INFO, make_results

from harness.io.yaml_documents import Document
from harness.reporting.page import published
from harness.reporting.page.published import dataset, published_rows, rows_for
from harness.reporting.page.render import markdown
from harness.reporting.verdicts.verdict import decide_contrasts
from harness.specs import Catalogue, DataInfo, resolve
from harness.specs.experiment.experiment import Experiment

CIFAR = INFO.model_copy(update={"name": "cifar10", "channels": 3, "size": (32, 32), "train": 45_000, "val": 5_000,
                                "test": 10_000})  # fmt: skip


def _study(info: DataInfo, variants):
    fields = {"name": "paper", "question": "?", "variants": variants, "data": {"name": info.name},
              "recipe": {"epochs": 2, "batch": 128, "lr": 0.1}, "seeds": [0, 1, 2]}  # fmt: skip
    return resolve(Experiment.model_validate(fields), Document("planted.yaml", {}), Catalogue.load(), info)


def test_every_row_is_of_a_network_of_the_catalogue(catalogue):
    for row in published.published():
        variant = catalogue.get(row["variant"])
        changed = variant.model_copy(update={"shortcut": row["shortcut"], "stride_on": row["stride_on"]})
        assert row in rows_for(changed, row["dataset"])
        assert 0 < float(row["error"]) < 100 and row["source"] and row["protocol"]


def test_shortcut_and_stride_decide(catalogue):
    assert {row["error"] for row in rows_for(catalogue.get("resnet50"), "imagenet")} == {"23.870", "19.142"}
    assert {row["error"] for row in rows_for(catalogue.get("resnet50-v1"), "imagenet")} == {"24.7"}
    option_a = catalogue.get("resnet34").model_copy(update={"shortcut": "identity"})
    assert {row["error"] for row in rows_for(option_a, "imagenet")} == {"25.03"}
    assert rows_for(catalogue.get("resnet34").model_copy(update={"zero_init_last": True}), "imagenet") == []
    assert rows_for(catalogue.get("cifar-resnet20"), "imagenet") == []
    assert rows_for(catalogue.get("densenet121"), "imagenet") == []


def test_data_is_known_by_its_sizes():
    assert dataset(CIFAR) == "cifar10"
    assert dataset(CIFAR.model_copy(update={"train": 50_000, "val": 0})) == "cifar10"
    assert dataset(CIFAR.model_copy(update={"train": 5_000})) is None, "a part of it"
    whole = {"name": "imagefolder", "classes": 1000, "train": 1_281_167, "val": 0, "test": 50_000, "size": (224, 224)}
    assert dataset(CIFAR.model_copy(update=whole)) == "imagenet"
    assert dataset(CIFAR.model_copy(update=whole | {"size": (64, 64)})) is None, "smaller images"
    assert dataset(INFO) is None


@pytest.mark.parametrize(("widths", "shown"), [(None, True), ([8, 16, 32], False)])
def test_the_report_shows_them_where_they_match(widths, shown):
    choice = {"name": "cifar-resnet20"} | ({"set": {"widths": widths}} if widths else {})
    study = _study(CIFAR, [choice])
    name = study.variants[0].name
    results = make_results(study, {name: [1.0, 2.0, 3.0]}, tests={name: [8.0, 9.0, 10.0]})
    rows = published_rows(results, results.final)
    assert bool(rows) is shown
    text = markdown(results, decide_contrasts(results), [])
    assert ("## Beside published results" in text) is shown
    if shown:
        assert rows[0][:3] == ["cifar-resnet20", "9.00 ± 1.00, n = 3", "8.75"]
        assert "no difference between these columns is a claim" in text
