"""Loading an experiment with its data: experiments that cannot be run and lists of seeds that are not valid."""

import pytest

from harness.api.experiments.load_experiment import load_resolved_experiment, parse_seeds
from harness.errors import HarnessError, escape_control_characters

RECIPE = {"epochs": 2, "batch": 64, "lr": 0.05}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {
                "recipe": {**RECIPE, "epochs": 10**6},
                "variants": {"name": "cifar-resnet1202", "set": {"widths": [128, 256, 512]}},
                "data": {"name": "digits"},
                "contrasts": None,
            },
            "years",
        ),
        ({"data": {"name": "digits", "root": "~nobody-here"}}, "home directory"),
        ({"data": {"name": "digits", "root": "x" * 5000}}, "name too long"),
        ({"data": {"name": "digits", "root": "a\0b"}}, "control character"),
        ({"variants": {"name": "cifar-resnet20", "set": {"widths": [65536] * 3}}, "contrasts": None}, "parameters"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_load_refuses_an_experiment_that_could_not_be_run(experiment_file, changes, message):
    with pytest.raises(HarnessError) as error:
        load_resolved_experiment(str(experiment_file(**changes)))
    assert message in str(error.value)
    assert escape_control_characters(str(error.value)) == str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "²",
        "1-²",
        "9" * 5000,
        "1-" + "9" * 5000,
        "1-99999999999999999999",
        "0-9999,10000-19999",
        "5-1",
        "\x1b[31m",
        "1-",
    ],
)
def test_parse_seeds_refuses_text_that_is_not_a_list_of_seeds(text):
    with pytest.raises(HarnessError) as error:
        parse_seeds(text)
    assert escape_control_characters(str(error.value)) == str(error.value)
