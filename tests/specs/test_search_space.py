"""A search as it is declared: what is refused, which samples it draws, and which trials follow from it."""

import pytest
from pydantic import ValidationError

from harness.errors import HarnessError
from harness.specs import Recipe, SearchSpec
from harness.specs.experiment.search_space import SearchRange
from harness.specs.identity import canonical

LR = {"low": 0.005, "high": 0.5, "log": True}
TUNE = {"samples": 3, "fields": {"lr": LR, "weight_decay": [0.0, 1e-4]}}
RECIPE = Recipe(epochs=2, batch=64, lr=0.05)


def tuning(**changes):
    return SearchSpec.model_validate({**TUNE, **changes})


@pytest.fixture
def tuned_study(quick_study):
    """The quick experiment with a search."""

    def make(tune=TUNE, **changes):
        data = {"name": "digits", "train_images": 256, "val_fraction": 0.2}
        return quick_study(**{"data": data, "tune": tune, **changes})

    return make


WRONG = {
    "no fields": ({"samples": 3, "fields": {}}, {}, ["tune.fields", "at least 1"]),
    "an unknown field": ({**TUNE, "fields": {"learning_rate": LR}}, {}, ["learning_rate", "can be tuned"]),
    "the budget": ({**TUNE, "fields": {"epochs": [1, 2, 3]}}, {}, ["'epochs'", "the budget"]),
    "low above high": ({**TUNE, "fields": {"lr": {"low": 1, "high": 0.1}}}, {}, ["tune.fields.lr", "less than high"]),
    "half a range": ({**TUNE, "fields": {"lr": {"low": 0.1}}}, {}, ["tune.fields.lr", "{low: 0.005"]),
    "a logarithm of 0": (
        {**TUNE, "fields": {"weight_decay": {"low": 0, "high": 1, "log": True}}},
        {},
        ["tune.fields.weight_decay", "above 0"],
    ),
    "a range of words": ({**TUNE, "fields": {"schedule": {"low": 0, "high": 1}}}, {}, ["schedule", "list of values"]),
    "a value twice": ({**TUNE, "fields": {"lr": [0.1, 0.1, 0.2]}}, {}, ["tune.fields.lr", "twice"]),
    "an unknown word": ({**TUNE, "fields": {"schedule": ["cosine", "cosin", "step"]}}, {}, ["no recipe", "cosin"]),
    "a negative rate": ({**TUNE, "fields": {"lr": {"low": -1, "high": 1}}}, {}, ["lr: -1", "no recipe"]),
    "values that do not agree": (
        {**TUNE, "fields": {"nesterov": [False, True], "optimiser": ["sgd", "adamw"]}},
        {},
        ["nesterov needs optimiser sgd"],
    ),
    "too few values": ({**TUNE, "fields": {"lr": [0.1, 0.2]}}, {}, ["2 different recipes", "3 samples"]),
    "seeds of the experiment": ({**TUNE, "seeds": [101]}, {}, ["seed 101", "no search saw"]),
    "a seed twice": ({**TUNE, "seeds": [1, 1]}, {}, ["tune.seeds", "twice"]),
    "no validation split": (TUNE, {"data": {"name": "digits"}}, ["data.val_fraction"]),
    "the test split": ({**TUNE, "metric": "test/error"}, {}, ["tune.metric", "test/error", "val/error"]),
    "no samples": ({**TUNE, "samples": 0}, {}, ["tune.samples", "greater than 0"]),
    "a searcher of nobody": ({**TUNE, "searcher": "bayes"}, {}, ["tune.searcher", "random"]),
    "asha with optuna": ({**TUNE, "searcher": "optuna", "scheduler": "asha"}, {}, ["one of the two"]),
    "asha with two seeds": ({**TUNE, "seeds": [0, 1], "scheduler": "asha"}, {}, ["one seed"]),
    "too many trials": ({**TUNE, "samples": 1000, "seeds": [0, 1, 2]}, {}, ["3,000 search trials", "too many"]),
    "text": ("random", {}, ["tune", "'random' is refused"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_refused_and_where(tuned_study, case):
    tune, changes, words = WRONG[case]
    with pytest.raises(HarnessError) as error:
        tuned_study(tune, **changes)
    for word in ["quick.yaml", *words]:
        assert word in str(error.value)


def test_the_first_sample_is_the_experiments_own_where_it_is_in_the_space():
    assert tuning().initial_samples(RECIPE)[0] == {"lr": 0.05, "weight_decay": 1e-4}
    outside = tuning(fields={"lr": {"low": 0.1, "high": 0.5}}).initial_samples(RECIPE)
    assert len(outside) == 3
    assert all(0.1 <= sample["lr"] <= 0.5 for sample in outside)


def test_samples_are_the_same_for_all_and_more_of_them_leave_the_earlier_ones():
    three, eight = tuning().initial_samples(RECIPE), tuning(samples=8).initial_samples(RECIPE)
    assert eight[:3] == three
    assert len({canonical(sample) for sample in eight}) == 8
    assert tuning(seeds=[1]).initial_samples(RECIPE)[1:] != three[1:]
    # Pinned: a search that is recorded goes on only while these stay.
    assert three == [
        {"lr": 0.05, "weight_decay": 0.0001},
        {"lr": 0.07249, "weight_decay": 0.0001},
        {"lr": 0.01248, "weight_decay": 0.0},
    ]


def test_few_samples_leave_no_gap():
    """Each third of the logarithmic range holds some of eight, whatever the seed."""
    for seed in range(20):
        samples = tuning(samples=9, seeds=[seed]).initial_samples(RECIPE)[1:]
        thirds = [sum(low <= s["lr"] < 10 ** (2 / 3) * low for s in samples) for low in (0.005, 0.0232, 0.1077)]
        assert min(thirds) >= 2


def test_a_list_is_used_up_before_anything_is_drawn_twice():
    drawn = tuning(fields={"lr": [0.05, 0.1, 0.2]}).initial_samples(RECIPE)
    assert sorted(sample["lr"] for sample in drawn) == [0.05, 0.1, 0.2]


@pytest.mark.parametrize(("uniform", "value"), [(0.0, 0.005), (0.5, 0.05), (0.99999999, 0.5)])
def test_a_logarithmic_range_at_its_ends_and_middle(uniform, value):
    assert SearchRange.model_validate(LR).value_at(uniform) == value


def test_trials_of_the_search_have_ids_of_their_own_and_share_no_seed(tuned_study):
    study = tuned_study()
    assert len(study.trials) == 8
    assert len(study.search_trials) == 12
    assert {trial.seed for trial in study.search_trials}.isdisjoint(study.experiment.seeds)
    assert len({trial.id for trial in study.all_trials}) == 20
    counts = {v.name: sum(t.variant.identity() == v.identity() for t in study.search_trials) for v in study.variants}
    assert set(counts.values()) == {3}


def test_the_compared_trials_are_those_of_the_same_experiment_without_a_search(tuned_study):
    data = {"name": "digits", "train_images": 256, "val_fraction": 0.2}
    assert tuned_study().trials == tuned_study(tune=None, data=data).trials


def test_a_trial_that_may_be_stopped_is_another_trial(tuned_study):
    whole, cut = tuned_study(), tuned_study({**TUNE, "scheduler": "asha"})
    assert {t.id for t in whole.search_trials}.isdisjoint(t.id for t in cut.search_trials)
    assert [t.id for t in whole.trials] == [t.id for t in cut.trials]


def test_choices_make_trials_and_share_those_of_the_common_recipe(tuned_study):
    study = tuned_study()
    plain, *others = (variant.name for variant in study.variants)
    chosen = type(study)(**{**study.field_values(), "choices": {plain: 1, **dict.fromkeys(others, 0)}})
    assert [study.tuned, chosen.tuned.recipe_of(others[0])] == [None, study.experiment.recipe]
    assert chosen.tuned.recipe_of(plain).lr == 0.07249
    assert len(chosen.all_trials) == 22
    assert [chosen.purpose_of(trial) for trial in chosen.all_trials[-2:]] == ["tuned", "tuned"]
    assert chosen.all_trials[-1].label == f"{plain}, tuned seed 101"
    again = type(study).model_validate_json(chosen.to_record_json())
    assert [trial.id for trial in again.all_trials] == [trial.id for trial in chosen.all_trials]


def test_a_number_is_never_more_than_a_recipe_holds():
    with pytest.raises(ValidationError):
        SearchRange.model_validate({"low": float("nan"), "high": 1.0})


@pytest.mark.parametrize(
    "changes",
    [
        {"choices": {"cifar-plain8-w2": 0}},
        {"choices": {"nobody": 0}},
        {"samples": ({"variant": "nobody", "number": 0, "fields": {"lr": 0.1}},)},
        {"samples": ({"variant": "cifar-plain8-w2", "number": 0, "fields": {"lr": -0.1}},)},
        {"samples": ({"variant": "cifar-plain8-w2", "number": 0, "fields": {"colour": "red"}},)},
        {"samples": ({"variant": "cifar-plain8-w2", "number": 0, "fields": {"lr": 0.1}},) * 2},
    ],
)
def test_a_study_from_a_file_holds_a_search_that_fits_it(tuned_study, changes):
    study = tuned_study()
    with pytest.raises(ValidationError):
        type(study)(**{**study.field_values(), **changes})
