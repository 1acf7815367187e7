"""The sources of randomness of a trial: what is held fixed is equal bit for bit across seeds, and the rest varies."""

import pytest
import torch
from training_helpers import train, without_times

from harness.data.splits import load_splits
from harness.specs import Execution, Resources
from harness.specs.replication.sources import SOURCES
from harness.training.trainer import Trainer

CROP = {"epochs": 2, "batch": 64, "lr": 0.05, "augment": "crop", "crop_padding": 1}
DATA = {"name": "digits", "train_images": 256}


@pytest.fixture
def trials(quick_study):
    """Return a function that gives the trials of two seeds of one variant, of which ``sources`` differ."""

    def make(*sources, **changes):
        fields = {"recipe": CROP, "data": DATA, "contrasts": None, "seeds": [1, 2], "replicate": list(sources)}
        return quick_study(**(fields | changes)).trials[:2]

    return make


def draws_of(trial):
    """Return what each source decides: initial weights, order of labels, crops of one image, and training images."""
    trainer = Trainer(trial, Execution(), Resources())
    split = trainer.splits["train"]
    # The same order for all trials, so that a difference of the crops is one of the augmentation.
    crops = split.training_batches(trainer.recipe, 0, 1, range(1), augmentation_seed=trial.seed_of("augmentation"))
    ordered = split.training_batches(trainer.recipe.model_copy(update={"augment": "none"}), trial.seed_of("order"), 1)
    return {
        "initialisation": torch.cat([parameter.detach().flatten() for parameter in trainer.network.parameters()]),
        "order": torch.cat([images.flatten() for images, _ in ordered]),
        "augmentation": next(crops)[0],
        "split": load_splits(trial.split_data).test.images,
    }


@pytest.mark.parametrize("source", SOURCES)
def test_seeds_vary_the_declared_source_and_leave_the_others_bitwise_equal(trials, source):
    one, other = map(draws_of, trials(source))
    # Another split has other images, whose order and crops differ in their pixels.
    compared = ("initialisation", "split") if source == "split" else SOURCES
    for name in compared:
        assert torch.equal(one[name], other[name]) is (name != source), name


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_moves_the_results_of_training(trials, source):
    one, other = (without_times(train(Trainer(trial, Execution(), Resources()))) for trial in trials(source))
    assert one != other


def test_dropped_paths_of_a_network_belong_to_the_augmentation(trials):
    changes = {
        "recipe": {**CROP, "augment": "none"},
        "variants": {"name": "cifar-resnet8", "set": {"widths": [2, 4, 8], "stochastic_depth": 0.5}},
    }
    drawn = {source: [draw_paths(trial) for trial in trials(source, **changes)] for source in ("augmentation", "order")}
    assert not torch.equal(*drawn["augmentation"])
    assert torch.equal(*drawn["order"])


def draw_paths(trial):
    """Train one epoch, and return the factors that the network has drawn for its blocks and images."""
    trainer, factors = Trainer(trial, Execution(), Resources()), []
    draw = trainer.network.draw_path_factors
    trainer.network.draw_path_factors = lambda *arguments: factors.append(draw(*arguments)) or factors[-1]
    train(trainer, epochs=1)
    return torch.cat(factors, 1)


def test_twins_at_one_seed_see_the_same_split_and_batches(quick_study):
    study = quick_study(contrasts=None, seeds=[1, 2], recipe=CROP, data=DATA, replicate=["order", "split"])
    for seed in (1, 2):
        twins = [Trainer(t, Execution(), Resources()) for t in study.trials if t.seed == seed]
        batches = [[images for images, _ in twin.training_batches(1, range(twin.steps))] for twin in twins]
        assert len(twins) == 4
        for other in batches[1:]:
            assert all(torch.equal(a, b) for a, b in zip(batches[0], other, strict=True))


def test_splits_of_several_seeds_in_one_reused_process_are_those_of_fresh_ones(trials):
    """The process keeps the last two splits; five trials in turn must each get their own."""
    five = [*trials("split", seeds=[1, 2]), *trials("split", seeds=[3, 4]), trials("split", seeds=[5, 6])[0]]
    expected = []
    for trial in five:
        load_splits.cache_clear()
        expected.append(load_splits(trial.split_data))
    load_splits.cache_clear()
    for _ in range(2):
        for trial, fresh in zip(five, expected, strict=True):
            trainer = Trainer(trial, Execution(), Resources())
            assert torch.equal(trainer.splits["test"].split.images, fresh.test.images)
            assert torch.equal(trainer.splits["train"].split.labels, fresh.train.labels)
            assert torch.equal(trainer.splits["train"].scale.flatten(), 1 / (255 * torch.tensor(fresh.std)))
    assert len({tuple(fresh.test.labels.tolist()) for fresh in expected}) == 5
