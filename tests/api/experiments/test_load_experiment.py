"""Experiments as the command line loads them: their seeds, and where an error is."""

import pytest
from trial_helpers import SILENT_CONSOLE

from harness.api import Settings, load_resolved_experiment, parse_seeds, plan, run
from harness.errors import HarnessError


@pytest.mark.parametrize(
    ("text", "own_seeds", "seeds"),
    [
        ("10-12,20", (), [10, 11, 12, 20]),
        ("10,", (), [10]),
        ("10-10", (), [10]),
        ("1", (3, 17, 5), [3]),
        ("3", (3, 17, 5), [3, 17, 5]),
        ("5", (3, 17, 5), [3, 17, 5, 18, 19]),
    ],
)
def test_seeds_are_a_list_or_a_number_of_the_experiments_own(text, own_seeds, seeds):
    assert parse_seeds(text, own_seeds) == seeds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1-x", "is not a seed"),
        ("0", "a run of 0 seeds is not possible"),
        ("10001", "a run of 10,001 seeds"),
        ("9" * 10, "a run of 9,999,999,999 seeds"),
        ("9" * 11, "is not a seed"),
        ("5-3", "contains 0 seeds"),
    ],
)
def test_seeds_that_are_impossible_are_refused(text, words):
    with pytest.raises(HarnessError, match=words):
        parse_seeds(text)


def test_number_of_seeds_replaces_the_seeds_of_an_override(experiment_file):
    study = load_resolved_experiment(str(experiment_file()), ["seeds=[7]"], "2")
    assert study.experiment.seeds == (7, 8)


def test_larger_number_of_seeds_trains_only_the_added_ones(experiment_file, tmp_path):
    path, settings = str(experiment_file()), Settings(tmp_path / "home", tracking_uri="none", launcher="inline")
    run(load_resolved_experiment(path, seeds="1"), settings, SILENT_CONSOLE)
    study = load_resolved_experiment(path, seeds="3")
    assert study.experiment.seeds == (100, 101, 102)
    assert {planned.trial.seed for planned in plan(study, settings).to_run} == {101, 102}


@pytest.mark.parametrize(
    ("changes", "field", "line"),
    [
        ({"recipe": {"epochs": 1, "batch": 257, "lr": 0.1}}, "recipe.batch", "  batch: 257"),
        (
            {"contrasts": [{"kind": "degradation", "shallow": 8, "deep": 14, "margin": 0.5}]},
            "contrasts",
            "contrasts:",
        ),
    ],
)
def test_error_names_file_line_and_field(experiment_file, changes, field, line):
    file = experiment_file(**changes)
    number = file.read_text().splitlines().index(line) + 1
    with pytest.raises(HarnessError) as refused:
        load_resolved_experiment(str(file))
    assert refused.value.where == f"{file}:{number}, {field}"
