import math

import pytest
from reporting_helpers import make_results, make_study

from harness.reporting.figures.training_curves import (
    choose_training_error,
    has_training_curves,
    interval_by_epoch,
    values_by_epoch,
)
from harness.reporting.statistics.intervals import estimate_mean


def find_variant(study, name):
    return next(variant for variant in study.variants if variant.name == name)


def test_interval_by_epoch_is_the_t_interval_of_every_epoch(quickstart):
    table = values_by_epoch(quickstart, find_variant(quickstart.study, "cifar-plain8-w8"), "test/error")
    band = interval_by_epoch(table)
    assert list(band.index) == list(range(1, 11))
    expected = estimate_mean(table.loc[10].to_numpy())
    assert tuple(band.loc[10]) == pytest.approx((expected.low, expected.high))


def test_interval_by_epoch_is_empty_below_five_seeds():
    study = make_study()
    results = make_results(study, missing=[("cifar-plain20-w8", seed) for seed in range(10, 14)])
    table = values_by_epoch(results, find_variant(study, "cifar-plain20-w8"), "test/error")
    assert table.shape[1] == 4
    assert interval_by_epoch(table).empty


def test_a_diverged_trial_continues_at_chance_error_and_adds_no_epoch():
    study = make_study()
    results = make_results(study, diverged=[("cifar-plain8-w8", 12)])
    frame = results.epochs
    frame.loc[~frame["epoch"].isin([5, 10]), "test/error"] = math.nan
    # A trial is also evaluated at the epoch at which it diverges, here epoch 3.
    frame.loc[(frame["variant"] == "cifar-plain8-w8") & (frame["seed"] == 12), "test/error"] = 90.0
    table = values_by_epoch(results, find_variant(study, "cifar-plain8-w8"), "test/error")
    assert list(table.index) == [5, 10]
    assert table.notna().all(axis=None) and set(table[12]) == {90.0}


def test_gradient_norms_of_a_diverged_trial_end_with_it():
    study = make_study()
    results = make_results(study, diverged=[("cifar-plain8-w8", 12)])
    table = values_by_epoch(results, find_variant(study, "cifar-plain8-w8"), "grad/first")
    assert table[12].last_valid_index() == 3
    assert table[13].last_valid_index() == 10


@pytest.mark.parametrize(("has_clean", "metric"), [(True, "train/error_clean"), (False, "train/error")])
def test_choose_training_error_prefers_the_clean_one(has_clean, metric):
    results = make_results(make_study())
    if not has_clean:
        results.epochs["train/error_clean"] = math.nan
    assert choose_training_error(results) == metric


def test_an_experiment_of_one_epoch_has_no_training_curves():
    assert not has_training_curves(make_results(make_study(recipe={"epochs": 1, "batch": 128, "lr": 0.05})))
