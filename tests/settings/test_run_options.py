"""The words of a command line that a cluster receives."""

import pytest

from harness.settings import RunOptions, Settings
from harness.settings.option import options_of
from harness.settings.run_options import words_to_send

TYPED = {
    "overrides": (["recipe.lr=1", "seeds=[1]"], ["--set", "recipe.lr=1", "--set", "seeds=[1]"]),
    "seeds": ("8", ["--seeds", "8"]),
    "decide": ("8:32:4", ["--decide", "8:32:4"]),
    "budget": ("2h", ["--budget", "2h"]),
    "force": (True, ["--force"]),
    "price": (2.5, ["--price", "2.5"]),
    "tracking_uri": ("http://h:5000", ["--tracking-uri", "http://h:5000"]),
    "storage": ("s3://ours/x", ["--storage", "s3://ours/x"]),
    "time_limit": ("1h", ["--time-limit", "1h"]),
    "data_root": ("/nfs/data", ["--data-root", "/nfs/data"]),
}
"""For each option that is sent: a typed value, and its words."""


def test_every_option_that_is_sent_has_an_example_here():
    options = options_of(RunOptions) | options_of(Settings)
    assert {name for name, option in options.items() if option.is_sent} == set(TYPED)


@pytest.mark.parametrize("name", TYPED)
def test_typed_option_is_sent_as_it_was_typed(name):
    value, words = TYPED[name]
    assert words_to_send({name: value}) == words


def test_options_of_this_machine_are_not_sent():
    assert words_to_send({"home": "/here", "launcher": "ray", "hosts": 3, "reports": "r", "experiment": "x"}) == []
