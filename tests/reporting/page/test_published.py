"""Published results are shown only for equal networks on equal data."""

import pytest
from reporting_helpers import INFO, make_results

from harness.io.yaml_documents import Document
from harness.reporting.page import published
from harness.reporting.page.published import build_published_rows, find_published_results, identify_dataset
from harness.reporting.page.report import render_report
from harness.reporting.verdicts.decision import decide_contrasts
from harness.specs import Catalogue, DataInfo, resolve
from harness.specs.experiment.experiment import Experiment

CIFAR = INFO.model_copy(update={"name": "cifar10", "channels": 3, "size": (32, 32), "train": 45_000, "val": 5_000,
                                "test": 10_000})  # fmt: skip


def _study(info: DataInfo, variants):
    fields = {"name": "paper", "question": "?", "variants": variants, "data": {"name": info.name},
              "recipe": {"epochs": 2, "batch": 128, "lr": 0.1}, "seeds": [0, 1, 2]}  # fmt: skip
    return resolve(Experiment.model_validate(fields), Document("planted.yaml", {}), Catalogue.load(), info)


def test_every_published_row_is_a_network_of_the_catalogue(catalogue):
    for row in published.load_published_results():
        variant = catalogue.get(row["variant"])
        changed = variant.model_copy(update={"shortcut": row["shortcut"], "stride_on": row["stride_on"]})
        assert row in find_published_results(changed, row["dataset"])
        assert 0 < float(row["error"]) < 100 and row["source"] and row["protocol"]


def test_find_published_results_needs_equal_shortcut_and_stride(catalogue):
    assert {row["error"] for row in find_published_results(catalogue.get("resnet50"), "imagenet")} == {
        "23.870",
        "19.142",
    }
    assert {row["error"] for row in find_published_results(catalogue.get("resnet50-v1"), "imagenet")} == {"24.7"}
    option_a = catalogue.get("resnet34").model_copy(update={"shortcut": "identity"})
    assert {row["error"] for row in find_published_results(option_a, "imagenet")} == {"25.03"}
    assert (
        find_published_results(catalogue.get("resnet34").model_copy(update={"zero_init_last": True}), "imagenet") == []
    )
    assert find_published_results(catalogue.get("cifar-resnet20"), "imagenet") == []
    assert find_published_results(catalogue.get("densenet121"), "imagenet") == []


def test_identify_dataset_compares_all_sizes():
    assert identify_dataset(CIFAR) == "cifar10"
    assert identify_dataset(CIFAR.model_copy(update={"train": 50_000, "val": 0})) == "cifar10"
    assert identify_dataset(CIFAR.model_copy(update={"train": 5_000})) is None, "a part of it"
    whole = {"name": "imagefolder", "classes": 1000, "train": 1_281_167, "val": 0, "test": 50_000, "size": (224, 224)}
    assert identify_dataset(CIFAR.model_copy(update=whole)) == "imagenet"
    assert identify_dataset(CIFAR.model_copy(update=whole | {"size": (64, 64)})) is None, "smaller images"
    assert identify_dataset(INFO) is None


@pytest.mark.parametrize(("widths", "shown"), [(None, True), ([8, 16, 32], False)])
def test_report_shows_published_results_of_equal_networks_only(widths, shown):
    choice = {"name": "cifar-resnet20"} | ({"set": {"widths": widths}} if widths else {})
    study = _study(CIFAR, [choice])
    name = study.variants[0].name
    results = make_results(study, {name: [1.0, 2.0, 3.0]}, test_errors={name: [8.0, 9.0, 10.0]})
    rows = build_published_rows(results, results.final)
    assert bool(rows) is shown
    text = render_report(results, decide_contrasts(results), [])
    assert ("<summary>Published results" in text) is shown
    if shown:
        assert rows[0][:3] == ["cifar-resnet20", "9.00 ± 1.00, n = 3", "8.75"]
        assert "a difference between the two errors supports no claim" in text
