"""The fields replicate and variance: what they accept, what they refuse, and the runs of a crossed design."""

import pytest

from harness.api import load_resolved_experiment
from harness.errors import HarnessError
from harness.reporting.page.report import format_experiment_yaml
from harness.specs import Experiment
from harness.specs.replication.variance_design import VarianceDesign, number_runs

THREE = ["initialisation", "order", "split"]
FOUR = ["initialisation", "order", "augmentation", "split"]


def crossed(**fields):
    """Changes that make a crossed design of the quick experiment."""
    return {"variance": {"sources": THREE, **fields}, "seeds": None, "contrasts": None}


def test_runs_of_a_second_block_have_other_levels_and_leave_the_first_block_as_it_is():
    one = VarianceDesign(sources=FOUR, levels=4)
    two = VarianceDesign(sources=FOUR, levels=4, repeats=2)
    assert (one.runs, two.runs) == (16, 32)
    assert [two.seeds(run) for run in range(16)] == [one.seeds(run) for run in range(16)]
    for source in FOUR:
        assert {two.seeds(run)[source] for run in range(16, 32)} == {4, 5, 6, 7}
    assert (two.freedom, two.residual_freedom) == (6, 6)


def test_sources_in_another_order_give_the_same_design():
    assert VarianceDesign(sources=list(reversed(FOUR))) == VarianceDesign(sources=FOUR)


def test_crossed_design_numbers_its_trials(quick_study):
    study = quick_study(**crossed(levels=3))
    assert study.experiment.seeds == tuple(range(9))
    assert len({trial.id for trial in study.trials}) == 4 * 9


def test_experiment_with_the_numbers_of_its_design_written_out_is_the_same(quick_study):
    study = quick_study(**crossed(levels=3))
    again = quick_study(**(crossed(levels=3) | {"seeds": list(range(9))}))
    assert again.to_record_json() == study.to_record_json()


def test_recorded_experiment_file_with_more_repeats_adds_runs(quick_study, tmp_path):
    """The file leaves the seeds out, because they follow from the design."""
    path = tmp_path / "experiment.yaml"
    path.write_bytes(format_experiment_yaml(quick_study(**crossed(levels=3))))
    more = load_resolved_experiment(str(path), ["variance.repeats=2"])
    assert more.experiment.seeds == tuple(range(18))


def test_schema_accepts_a_list_of_sources():
    schema = Experiment.model_json_schema()["properties"]["replicate"]
    assert "array" in {option.get("type") for option in schema["anyOf"]}


@pytest.mark.parametrize("fields", [{}, {"seeds": [3]}, {"variance": None}, 7])
def test_number_runs_without_a_design_changes_nothing(fields):
    assert number_runs(fields) is fields


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"replicate": ["initialization"]}, r"replicate.*'initialization' is not valid"),
        ({"replicate": []}, r"replicate.*no source is given: name at least one of initialisation, order"),
        ({"replicate": ["order", "order"]}, r"replicate.*the source order is given twice"),
        ({"replicate": "order"}, r"replicate.*'order' is not valid"),
        ({"replicate": {"vary": ["order"], "hold_at": -1}}, r"hold_at.*-1 is not valid"),
        ({"replicate": ["augmentation"]}, r"replicate.*nothing is drawn for augmentation in cifar-plain8-w2"),
        (crossed(levels=2), r"variance.*levels is 2: use 3 to 16"),
        (crossed(levels=17), r"variance.*levels is 17: use 3 to 16"),
        (crossed(repeats=0), r"variance.repeats.*0 is not valid"),
        (crossed(levels=16, repeats=9), r"variance.*2,304 trials of each variant are more than 2,000"),
        (crossed(sources=["order"]), r"variance.*at least two sources"),
        (crossed(sources=["order", "order"]), r"variance.*the source order is given twice"),
        (crossed(sources=["order", "weather"]), r"variance.*'weather' is not valid"),
        (crossed(sources=FOUR, levels=6), r"variance.*no design of four sources with 6 levels: use 5 or 7 levels"),
        (crossed(sources=FOUR, levels=3), r"variance.*leave nothing for the residual: use at least 4 levels"),
        (crossed(sources=FOUR), r"variance.*nothing is drawn for augmentation"),
        (crossed() | {"seeds": [1, 2]}, r"variance.*16 trials of each variant, numbered from 0: remove seeds"),
        (crossed() | {"replicate": ["order"]}, r"variance.*remove replicate, or remove variance"),
        ({"variance": {"sources": THREE}, "seeds": None}, r"variance.*contrasts need seeds that are independent"),
        (crossed() | {"looks": [8, 12]}, r"variance.*looks need contrasts"),
        (
            crossed() | {"data": [{"name": "digits"}, {"name": "digits", "split_seed": 1, "label": "other"}]},
            r"variance.*works with one data set",
        ),
        (
            {
                "replicate": ["order", "split"],
                "tune": {"samples": 2, "seeds": [1], "fields": {"lr": [0.1, 0.2]}},
                "data": {"name": "digits", "val_fraction": 0.1},
            },
            r"replicate.*a search cannot choose recipes where seeds vary the split",
        ),
    ],
)
def test_experiment_refuses_sources_and_designs_that_make_no_sense(quick_study, changes, message):
    with pytest.raises(HarnessError, match=message):
        quick_study(**changes)
