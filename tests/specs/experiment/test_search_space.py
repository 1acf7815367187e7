"""The search: which declarations are refused, which samples it draws, and which trials follow from it."""

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
    "an unknown field": ({**TUNE, "fields": {"learning_rate": LR}}, {}, ["learning_rate", "cannot be searched"]),
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
    "an unknown word": (
        {**TUNE, "fields": {"schedule": ["cosine", "cosin", "step"]}},
        {},
        ["not a valid recipe", "cosin"],
    ),
    "a negative rate": ({**TUNE, "fields": {"lr": {"low": -1, "high": 1}}}, {}, ["lr: -1", "not a valid recipe"]),
    "values that do not agree": (
        {**TUNE, "fields": {"nesterov": [False, True], "optimiser": ["sgd", "adamw"]}},
        {},
        ["nesterov needs optimiser sgd"],
    ),
    "too few values": ({**TUNE, "fields": {"lr": [0.1, 0.2]}}, {}, ["2 different recipes", "samples is 3"]),
    "seeds of the experiment": ({**TUNE, "seeds": [101]}, {}, ["seed 101", "give the search other seeds"]),
    "a seed twice": ({**TUNE, "seeds": [1, 1]}, {}, ["tune.seeds", "twice"]),
    "no validation split": (TUNE, {"data": {"name": "digits"}}, ["data.val_fraction"]),
    "the test split": ({**TUNE, "metric": "test/error"}, {}, ["tune.metric", "test/error", "val/error"]),
    "no samples": ({**TUNE, "samples": 0}, {}, ["tune.samples", "greater than 0"]),
    "an unknown searcher": ({**TUNE, "searcher": "bayes"}, {}, ["tune.searcher", "random"]),
    "asha with optuna": ({**TUNE, "searcher": "optuna", "scheduler": "asha"}, {}, ["only one of the two"]),
    "asha with two seeds": ({**TUNE, "seeds": [0, 1], "scheduler": "asha"}, {}, ["one seed"]),
    "too many trials": (
        {**TUNE, "samples": 1000, "seeds": [0, 1, 2]},
        {},
        ["3,000 search trials", "more than 10,000 trials"],
    ),
    "text": ("random", {}, ["tune", "'random' is not valid: it should be a mapping"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_invalid_search_is_refused_with_its_field(tuned_study, case):
    tune, changes, words = WRONG[case]
    with pytest.raises(HarnessError) as error:
        tuned_study(tune, **changes)
    for word in ["quick.yaml", *words]:
        assert word in str(error.value)


def test_initial_samples_begin_with_the_common_recipe_if_it_is_in_the_ranges():
    assert tuning().initial_samples(RECIPE)[0] == {"lr": 0.05, "weight_decay": 1e-4}
    outside = tuning(fields={"lr": {"low": 0.1, "high": 0.5}}).initial_samples(RECIPE)
    assert len(outside) == 3
    assert all(0.1 <= sample["lr"] <= 0.5 for sample in outside)


def test_initial_samples_do_not_change_when_their_number_grows():
    three, eight = tuning().initial_samples(RECIPE), tuning(samples=8).initial_samples(RECIPE)
    assert eight[:3] == three
    assert len({canonical(sample) for sample in eight}) == 8
    assert tuning(seeds=[1]).initial_samples(RECIPE)[1:] != three[1:]
    # A recorded search can be continued only while these values stay the same.
    assert three == [
        {"lr": 0.05, "weight_decay": 0.0001},
        {"lr": 0.07249, "weight_decay": 0.0001},
        {"lr": 0.01248, "weight_decay": 0.0},
    ]


@pytest.mark.parametrize("seed", range(20))
def test_eight_samples_fill_each_third_of_a_logarithmic_range(seed):
    samples = tuning(samples=9, seeds=[seed]).initial_samples(RECIPE)[1:]
    thirds = [sum(low <= s["lr"] < 10 ** (2 / 3) * low for s in samples) for low in (0.005, 0.0232, 0.1077)]
    assert min(thirds) >= 2


def test_initial_samples_draw_no_value_of_a_list_twice():
    drawn = tuning(fields={"lr": [0.05, 0.1, 0.2]}).initial_samples(RECIPE)
    assert sorted(sample["lr"] for sample in drawn) == [0.05, 0.1, 0.2]


@pytest.mark.parametrize(("uniform", "value"), [(0.0, 0.005), (0.5, 0.05), (0.99999999, 0.5)])
def test_value_at_of_a_logarithmic_range(uniform, value):
    assert SearchRange.model_validate(LR).value_at(uniform) == value


def test_search_trials_share_no_id_and_no_seed_with_the_compared_trials(tuned_study):
    study = tuned_study()
    assert len(study.trials) == 8
    assert len(study.search_trials) == 12
    assert {trial.seed for trial in study.search_trials}.isdisjoint(study.experiment.seeds)
    assert len({trial.id for trial in study.all_trials}) == 20
    counts = {v.name: sum(t.variant.identity() == v.identity() for t in study.search_trials) for v in study.variants}
    assert set(counts.values()) == {3}


def test_compared_trials_are_the_same_with_and_without_a_search(tuned_study):
    data = {"name": "digits", "train_images": 256, "val_fraction": 0.2}
    assert tuned_study().trials == tuned_study(tune=None, data=data).trials


def test_search_trial_with_a_scheduler_has_another_id(tuned_study):
    whole, cut = tuned_study(), tuned_study({**TUNE, "scheduler": "asha"})
    assert {t.id for t in whole.search_trials}.isdisjoint(t.id for t in cut.search_trials)
    assert [t.id for t in whole.trials] == [t.id for t in cut.trials]


def test_choices_add_trials_only_for_variants_with_another_recipe(tuned_study):
    study = tuned_study()
    plain, *others = (variant.name for variant in study.variants)
    chosen = study.replace(choices={plain: 1, **dict.fromkeys(others, 0)})
    assert [study.tuned, chosen.tuned.recipe_of(others[0])] == [None, study.experiment.recipe]
    assert chosen.tuned.recipe_of(plain).lr == 0.07249
    assert len(chosen.all_trials) == 22
    assert [chosen.purpose_of(trial) for trial in chosen.all_trials[-2:]] == ["tuned", "tuned"]
    assert chosen.all_trials[-1].label == f"{plain}, tuned seed 101"
    again = type(study).model_validate_json(chosen.to_record_json())
    assert [trial.id for trial in again.all_trials] == [trial.id for trial in chosen.all_trials]


def test_search_range_refuses_nan():
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
def test_resolved_experiment_refuses_samples_and_choices_that_do_not_fit_it(tuned_study, changes):
    study = tuned_study()
    with pytest.raises(ValidationError):
        study.replace(**changes)
