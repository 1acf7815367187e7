"""What the figures draw, and what they leave out; how they look is for eyes."""

import json
import math
from itertools import pairwise

import pandas as pd
import pytest

from harness.errors import HarnessError
from harness.reporting.figures.effects import MAX_ROWS, list_drawable_effects
from harness.reporting.figures.error_against_cost import list_cost_points, find_cost_fronts
from harness.reporting.figures.label_placement import place_labels, choose_log_ticks
from harness.reporting.figures.layer_curves import list_layer_panels, find_normalisation, select_layer_curves
from harness.reporting.figures.report_figures import draw_figures
from harness.reporting.figures.training_curves import _band, values_by_epoch
from harness.reporting.figures.style import panel_grid
from harness.reporting.page.report import write_report
from harness.reporting.page.tables import build_cost_rows
from harness.reporting.figures.series import group_into_series
from harness.reporting.statistics.intervals import estimate_mean
from harness.reporting.statistics.error_intervals import SEEDS_FOR_INTERVALS
from harness.reporting.verdicts.decision import decide_contrasts
from harness.tracking.results_csv import read_csv, write_csv
from harness.tracking.results_table import LAYERS_COLUMN


def alone(study):
    """Provenance of trials that had their device to themselves."""
    return {(variant.name, seed): {"shared": False} for variant in study.variants for seed in study.experiment.seeds}


def test_bands_are_t_intervals_from_five_seeds_on(study, planted):
    s = study()
    results = planted(s, missing=[("cifar-plain20-w8", seed) for seed in range(10, 14)])
    whole, few = (next(v for v in s.variants if v.name == name) for name in ("cifar-plain8-w8", "cifar-plain20-w8"))
    table = values_by_epoch(results, whole, "test/error")
    epochs, low, high = _band(table)
    assert epochs == list(range(1, 11))
    expected = estimate_mean(table.loc[10].to_numpy())
    assert (low[-1], high[-1]) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert values_by_epoch(results, few, "test/error").shape[1] == SEEDS_FOR_INTERVALS - 1
    assert _band(values_by_epoch(results, few, "test/error")) == ([], [], [])


def test_a_trial_that_diverges_between_two_evaluations_adds_no_epoch(study, planted):
    s = study()
    results = planted(s, diverged=[("cifar-plain8-w8", 12)])
    frame = results.epochs
    frame.loc[~frame["epoch"].isin([5, 10]), "test/error"] = math.nan
    # Where it diverges a trial is evaluated, whether or not it is the turn.
    frame.loc[(frame["variant"] == "cifar-plain8-w8") & (frame["seed"] == 12), "test/error"] = 90.0
    table = values_by_epoch(results, s.variants[0], "test/error")
    assert list(table.index) == [5, 10]
    assert table.notna().all(axis=None) and set(table[12]) == {90.0}


def test_no_two_lines_are_drawn_alike(study):
    widths = [{"family": "cifar-resnet", "depth": 8, "set": {"widths": [w, 2 * w, 4 * w]}} for w in (2, 4, 8, 16, 32)]
    variants = [{**width, "shortcut": shortcut} for width in widths for shortcut in ("none", "identity")]
    lines = group_into_series(study(variants=variants, contrasts=[]))
    assert len(lines) == 10 == len({(line.colour, line.marker) for line in lines})


def test_panels_leave_no_hole_of_two():
    assert [panel_grid(depths) for depths in range(1, 8)] == [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("shared", [True, False])
def test_training_time_is_compared_only_where_no_trial_shared_its_device(study, planted, shared):
    s = study()
    provenance = alone(s) | ({("cifar-plain8-w8", 12): {"shared": True}} if shared else {})
    costs = [cost for cost, _ in find_cost_fronts(planted(s, provenance=provenance))]
    assert costs == ["MACs", "parameters", *([] if shared else ["training time"])]


def test_training_time_under_unlike_conditions_is_not_compared(study, planted):
    s = study()
    provenance = alone(s)
    provenance["cifar-plain8-w8", 12] = {"shared": False, "device": "another"}
    assert list_cost_points(planted(s, provenance=provenance), "time/train_s") == []


def test_measured_costs_of_unlike_hardware_are_not_one_number(study, planted):
    s = study()
    results = planted(s, provenance={(v.name, 12): {"device": "another"} for v in s.variants})
    results.epochs["bench/latency_s"] = results.epochs["depth"] / 1000
    results.epochs[["bench/latency_sd_s", "bench/latency_n"]] = [1e-5, 5]
    assert list_cost_points(results, "bench/latency_s") == []
    assert {row[4] for row in build_cost_rows(results, results.final)} == {"mixed conditions"}
    alike = planted(s)
    alike.epochs[["bench/latency_sd_s", "bench/latency_n"]] = [1e-5, 5]
    alike.epochs["bench/latency_s"] = alike.epochs["depth"] / 1000
    assert len(list_cost_points(alike, "bench/latency_s")) == len(s.variants)


def test_diverged_trials_have_no_training_time(study, planted):
    """They ended after 3 epochs of 10, at 6 seconds of 20 (32 layers, 0.5 s per 8 layers and epoch)."""
    s = study()
    diverged = [("cifar-plain32-w8", seed) for seed in (10, 11, 12)]
    points = list_cost_points(planted(s, provenance=alone(s), diverged=diverged), "time/train_s")
    assert {p.name: p.cost for p in points}["cifar-plain32-w8"] == 20.0


def test_effects_are_drawn_of_two_components_and_more(study, planted):
    difference = {"kind": "difference", "a": "cifar-resnet8-w8", "b": "cifar-plain8-w8"}
    one = planted(study(contrasts=[difference]))
    assert "effects" not in draw_figures(one, decide_contrasts(one))
    two = planted(study(contrasts=[difference, {**difference, "metric": "test/error", "side": "two-sided"}]))
    groups = list_drawable_effects(decide_contrasts(two))
    assert [(group.top, group.heading, group.end) for group in groups] == [(0, False, 1), (1, False, 2)]
    assert "effects" in draw_figures(two, decide_contrasts(two))


def test_effects_of_a_degradation_stand_under_its_name(quickstart):
    (group,) = list_drawable_effects(decide_contrasts(quickstart))
    assert [(place, component.name) for place, component in group.rows] == [
        (1, "plain"), (2, "residual"), (3, "interaction"),
    ]  # fmt: skip


def test_more_effects_than_a_page_holds_stay_in_the_tables(quickstart):
    (verdict,) = decide_contrasts(quickstart)
    groups = list_drawable_effects([verdict] * 50)
    assert groups[-1].end == MAX_ROWS == 4 * len(groups)


def test_a_contrast_without_values_is_no_reason_for_a_figure(study, planted):
    s = study()
    everything = [(v.name, seed) for v in s.variants[1:] for seed in s.experiment.seeds]
    results = planted(s, missing=everything)
    assert "effects" not in draw_figures(results, decide_contrasts(results))


def test_layers_are_of_the_deepest_and_the_shallowest_net_of_each_kind(quickstart):
    items = select_layer_curves(quickstart)
    assert [(item.line.label, item.variant.depth, item.style == "-") for item in items] == [
        ("plain", 32, True), ("plain", 8, False), ("residual", 32, True), ("residual", 8, False),
    ]  # fmt: skip
    numbers, logs = items[0].table(0, "gradient")
    assert numbers.tolist() == list(range(1, 32))
    assert logs.shape == (8, 31)
    assert len(list_layer_panels(items)) == 3
    assert find_normalisation(quickstart) == {True}


def test_layers_of_diverged_trials_are_those_before_training(study, planted):
    results = planted(study(), diverged=[("cifar-plain32-w8", seed) for seed in range(10, 18)])
    deep = next(item for item in select_layer_curves(results) if item.variant.name == "cifar-plain32-w8")
    assert [len(profiles) for profiles in deep.moments] == [8, 0]
    assert deep.table(1, "gradient") is None
    assert {"layers"} <= set(draw_figures(results))


def test_an_older_table_has_no_such_figure(quickstart, tmp_path):
    path = tmp_path / "results.csv"
    write_csv(quickstart, path)
    assert read_csv(path).epochs.equals(quickstart.epochs)
    frame = pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns=LAYERS_COLUMN)
    frame.to_csv(path, index=False)
    older = read_csv(path)
    assert set(draw_figures(older)) == set(draw_figures(quickstart)) - {"layers"}
    write_report(older, tmp_path / "report")
    assert "responses" in (tmp_path / "report" / "README.md").read_text()
    assert "layers.svg" not in (tmp_path / "report" / "README.md").read_text()


@pytest.mark.parametrize(
    "wrong",
    ["no json", "7", '{"layers":2,"gradient":[1.0]}', '{"layers":2,"gradient":[1.0,-3.0]}', '{"gradient":[]}'],
)
def test_values_by_layer_that_are_none_are_refused(quickstart, tmp_path, wrong):
    path = tmp_path / "results.csv"
    epochs = quickstart.epochs.copy()
    epochs.loc[epochs.index[0], LAYERS_COLUMN] = wrong
    write_csv(type(quickstart)(quickstart.study, epochs), path)
    with pytest.raises(HarnessError) as caught:
        read_csv(path)
    assert "layers" in caught.value.what
    assert "2" in caught.value.where


def test_values_by_layer_in_the_table_are_compact_json(quickstart):
    rows = quickstart.epochs[quickstart.epochs[LAYERS_COLUMN] != ""]
    assert sorted(rows["epoch"].unique()) == [0, 10]
    for text, depth in zip(rows[LAYERS_COLUMN], rows["depth"], strict=True):
        assert " " not in text
        assert json.loads(text)["layers"] == depth - 1


@pytest.mark.parametrize(("low", "high"), [(150, 1.2e6), (0.3, 1.5), (2.1, 2.9), (2.1, 2.3), (1e4, 1e9), (9.5, 11)])
def test_ticks_have_room(low, high):
    found = choose_log_ticks(low, high)
    assert found == sorted(found)
    assert 1 <= len(found) <= 5
    assert all(low <= value <= high for value in found)
    room = 0.2 * math.log(high / low)
    assert all(math.log(b / a) > room for a, b in pairwise(found))


def test_names_hide_no_mark_and_no_other_name():
    assert place_labels([(50, 50)], ["8"], 200)[0][2] == "left"
    # At the right edge, and beside another point, there is room on the left alone.
    assert place_labels([(198, 50)], ["8"], 200)[0][2] == "right"
    assert place_labels([(50, 50), (62, 52)], ["8", "8"], 200)[0][2] == "right"
    # In the middle of a crowd there is none.
    crowd = [(50, 50), *((50 + x, 50 + y) for x in (-12, 0, 12) for y in (-12, 0, 12) if x or y)]
    assert place_labels(crowd, ["8"], 200) == [None]
