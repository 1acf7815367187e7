import pytest
from reporting_helpers import make_results, make_study

from harness.reporting.figures.error_against_cost import (
    COSTS,
    find_cost_fronts,
    list_cost_panels,
    list_cost_points,
)
from harness.reporting.page.report import write_report
from harness.reporting.page.tables import build_cost_rows


def exclusive_devices(study):
    """Return the provenance of trials that did not share their device."""
    return {(variant.name, seed): {"shared": False} for variant in study.variants for seed in study.experiment.seeds}


def with_latency(results):
    """Add a measured latency to every trial: one millisecond per layer."""
    results.epochs["bench/latency_s"] = results.epochs["depth"] / 1000
    results.epochs[["bench/latency_sd_s", "bench/latency_n"]] = [1e-5, 5]
    return results


@pytest.mark.parametrize("is_shared", [True, False])
def test_training_time_has_a_panel_only_where_no_trial_shared_its_device(is_shared):
    study = make_study()
    provenance = exclusive_devices(study) | ({("cifar-plain8-w8", 12): {"shared": True}} if is_shared else {})
    costs = [cost for cost, _ in find_cost_fronts(list_cost_panels(make_results(study, provenance=provenance)))]
    assert costs == ["MACs", "parameters", *([] if is_shared else ["training time"])]


def test_training_times_on_different_devices_are_not_compared():
    study = make_study()
    provenance = exclusive_devices(study) | {("cifar-plain8-w8", 12): {"shared": False, "device": "another"}}
    assert list_cost_points(make_results(study, provenance=provenance), "time/train_s") == []


def test_latencies_on_different_devices_are_not_compared():
    study = make_study()
    provenance = {(variant.name, 12): {"device": "another"} for variant in study.variants}
    results = with_latency(make_results(study, provenance=provenance))
    assert list_cost_points(results, "bench/latency_s") == []
    assert {row[4] for row in build_cost_rows(results, results.final)} == {"mixed conditions"}


def test_latencies_on_one_device_have_a_point_per_variant():
    study = make_study()
    points = list_cost_points(with_latency(make_results(study)), "bench/latency_s")
    assert {point.variant: point.cost for point in points} == pytest.approx(
        {variant.name: variant.depth / 1000 for variant in study.variants}
    )


def test_diverged_trials_do_not_count_in_training_times():
    """They end after 3 of 10 epochs, at 6 of 20 seconds: an epoch of 32 layers takes 2 seconds."""
    study = make_study()
    diverged = [("cifar-plain32-w8", seed) for seed in (10, 11, 12)]
    results = make_results(study, provenance=exclusive_devices(study), diverged=diverged)
    points = list_cost_points(results, "time/train_s")
    assert {point.variant: point.cost for point in points}["cifar-plain32-w8"] == 20.0


def test_fewer_than_three_variants_have_no_panel():
    study = make_study(variants=[{"family": "cifar-resnet", "depth": [8, 32], "shortcut": "none"}], contrasts=[])
    assert list_cost_points(make_results(study)) == []


def test_report_computes_the_points_of_each_cost_once(tmp_path, monkeypatch):
    from harness.reporting.figures import error_against_cost

    calls = []
    original = error_against_cost.list_cost_points
    monkeypatch.setattr(
        error_against_cost, "list_cost_points", lambda *arguments: (calls.append(arguments[1]), original(*arguments))[1]
    )
    write_report(make_results(make_study(), gradients=False), tmp_path / "quickstart")
    assert calls == list(COSTS)
