"""The declared stages of an adaptive experiment, and the fields that go with them."""

import pytest

from harness.errors import HarnessError
from harness.settings.stages import parse_stages
from harness.specs.adaptive.decide import StageSpec, extend_seeds
from harness.specs.adaptive.needed_seeds import count_needed_seeds

DECIDE = {"first": 8, "step": 4, "most": 32}


@pytest.mark.parametrize(
    ("first", "step", "most", "stages"),
    [(8, 4, 32, (8, 12, 16, 20, 24, 28, 32)), (8, 5, 20, (8, 13, 18, 20)), (10, 40, 20, (10, 20))],
)
def test_stages_end_with_the_most_seeds(first, step, most, stages):
    assert StageSpec(first=first, step=step, most=most).stages == stages


@pytest.mark.parametrize(
    ("own", "seeds"),
    [((10, 11), (10, 11, *range(12, 42))), ((7, 3), (7, 3, *range(8, 38))), (tuple(range(40)), tuple(range(32)))],
)
def test_seeds_are_extended_to_the_most_as_a_number_of_seeds_extends_them(own, seeds):
    assert extend_seeds(own, StageSpec(**DECIDE)) == seeds


def test_seeds_beyond_the_largest_seed_are_refused(quick_study):
    with pytest.raises(HarnessError, match="the seeds after 4294967295 would be too large"):
        quick_study(decide=DECIDE, seeds=[2**32 - 1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"decide": DECIDE | {"first": 7}}, "first is 7, and 8 seeds are needed for a verdict"),
        ({"decide": DECIDE | {"most": 8}}, "most must be larger"),
        ({"decide": DECIDE, "looks": [8, 12]}, "remove looks, or remove decide"),
        ({"decide": DECIDE, "contrasts": []}, "decide needs something to decide"),
        (
            {
                "decide": DECIDE,
                "data": {"name": "digits", "val_fraction": 0.2},
                "tune": {"samples": 2, "fields": {"lr": {"low": 0.01, "high": 0.1}}},
            },
            "an experiment with a search cannot be adaptive",
        ),
    ],
)
def test_experiment_that_cannot_be_decided_in_stages_is_refused(quick_study, changes, words):
    with pytest.raises(HarnessError, match=words):
        quick_study(**changes)


def test_option_gives_first_most_and_step():
    assert parse_stages("8:32:4") == (8, 32, 4)


@pytest.mark.parametrize("text", ["8", "8:32", "8,32,4", "8:32:4:1", "a:b:c", "8:32:-4", "", "٨:32:4"])
def test_option_of_another_form_is_refused_with_the_form(text):
    with pytest.raises(HarnessError, match="does not give the stages of a run") as refused:
        parse_stages(text)
    assert "FIRST:MOST:STEP" in refused.value.remedy


def test_option_in_the_order_of_the_file_is_refused():
    with pytest.raises(HarnessError, match="8:4:32 would begin with 8 seeds, end with at most 4"):
        parse_stages("8:4:32")


def test_needed_seeds_end_with_the_stage_of_the_last_recorded_one(quick_study):
    study = quick_study(decide={"first": 8, "step": 4, "most": 16}, seeds=[100])
    first, second, *others = [variant.name for variant in study.variants]
    recorded = [(first, 100), (second, 107), (second, 109)]
    assert count_needed_seeds(study, recorded) == {first: 8, second: 12} | dict.fromkeys(others, 8)


def test_needed_seeds_of_an_experiment_without_stages_are_all(quick_study):
    study = quick_study()
    assert set(count_needed_seeds(study, []).values()) == {2}
