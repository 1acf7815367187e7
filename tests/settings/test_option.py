"""Options that are declared with their fields, and objects that are built from what a user gives."""

from dataclasses import fields
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.settings import BenchmarkOptions, RunOptions, Settings
from harness.settings.option import options_of, parse_options

KINDS = [Settings, RunOptions, BenchmarkOptions]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_declares_its_option(kind):
    assert list(options_of(kind)) == [field.name for field in fields(kind)]
    for option in options_of(kind).values():
        assert option.flag.startswith("--") and option.help.endswith(".")


def test_no_two_fields_have_the_same_flag():
    flags = [option.flag for kind in KINDS for option in options_of(kind).values()]
    assert len(flags) == len(set(flags))


@pytest.mark.parametrize("kind", KINDS)
def test_none_stands_for_the_default(kind):
    assert parse_options(kind, dict.fromkeys(options_of(kind))) == kind() == parse_options(kind, {})


def test_text_is_parsed_into_the_type_of_the_field():
    settings = parse_options(Settings, {"home": "a", "reports": Path("b"), "time_limit": "1h", "wait": 30})
    assert settings == Settings(home=Path("a"), reports=Path("b"), time_limit=3600.0, wait=30.0)
    assert parse_options(RunOptions, {"overrides": ["recipe.lr=1"]}).overrides == ("recipe.lr=1",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hoem": "x"}, r"there is no setting 'hoem'\. Did you mean 'home'"),
        ({"launcher": "slurm"}, r"there is no launcher 'slurm'\. Use ray or inline"),
        ({"time_limit": "soon"}, "--time-limit: 'soon' is not a duration"),
    ],
)
def test_wrong_setting_is_an_error(values, message):
    with pytest.raises(HarnessError, match=message):
        parse_options(Settings, values)
