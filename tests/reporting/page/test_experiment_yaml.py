"""experiment.yaml of a report: it is read back as the same experiment, whatever its texts are."""

import pytest
from reporting_helpers import INFO, make_study

from harness.reporting.page.report import format_experiment_yaml
from harness.specs import Catalogue, load_experiment, resolve

TEXTS = [
    *("1e3", "010", "0x1F", "1:30", "yes", "null", "~", ".inf", "2026-11-26", "-", "#x", "1_000", "65e6615551387925"),
    *("a: b", "a #b", "'", '"', "{a}", "[a]", "*a", "!a", "%a", "?", "=", "\N{ROCKET}", "e\u0301", "word " * 90),
    *("two\nlines", "\n begins and ends with a line break \n", "trailing spaces  ", "\ttab", "a" * 400),
]  # fmt: skip


def read_back(study, tmp_path):
    (tmp_path / "experiment.yaml").write_bytes(format_experiment_yaml(study))
    experiment, document = load_experiment(tmp_path / "experiment.yaml")
    return resolve(experiment, document, Catalogue.load(), INFO)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:20]))
def test_experiment_yaml_is_read_back_as_the_same_experiment(tmp_path, text):
    label = text.strip()[:100].strip() if text.strip().isprintable() and not text.startswith(("-", "=")) else "x"
    variants = [{"name": "cifar-resnet8", "label": label}, "cifar-plain8"]
    study = make_study(question=text, notes=text, variants=variants, contrasts=[], seeds=[3, 4])
    again = read_back(study, tmp_path)
    assert again == study
    assert [trial.id for trial in again.trials] == [trial.id for trial in study.trials]


@pytest.mark.parametrize("name", ["1e3", "010", "0x1f", "yes", "null", "true", "1_000", "2026-11-26", "1.5", "0"])
def test_experiment_yaml_keeps_a_name_and_a_fingerprint_that_look_like_a_number(tmp_path, name):
    data = {"name": "digits", "fingerprint": "65e6615551387925"}
    study = make_study(name=name, data=data, contrasts=[], seeds=[3])
    again = read_back(study, tmp_path)
    assert (again.experiment.name, again.experiment.data.fingerprint) == (name, "65e6615551387925")


def test_experiment_yaml_keeps_every_kind_of_value(tmp_path):
    study = make_study(
        variants={"family": "cifar-resnet", "depth": [8, 14], "shortcut": ["none", "A"], "set": {"widths": [2, 4, 8]}},
        data={"name": "digits", "val_fraction": 0.125},
        recipe={"epochs": 4, "batch": 32, "lr": 1e-05, "nesterov": True, "milestones": [1e-9, 0.5], "weight_decay": 0},
        seeds=[3, 2**32 - 1],
        contrasts=[{"kind": "degradation", "shallow": 8, "deep": 14, "margin": 1e300}],
        execution={"seeds_together": "off", "deterministic": False, "checkpoint_seconds": 0},
        tune={"samples": 3, "fields": {"lr": {"low": 1e-3, "high": 0.1, "log": True}, "nesterov": [True, False]}},
    )
    again = read_back(study, tmp_path)
    assert again == study
    assert [trial.id for trial in again.all_trials] == [trial.id for trial in study.all_trials]
