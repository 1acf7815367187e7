"""Training of external networks: their random draws come from the trial's streams."""

import torch
from training_helpers import train, without_times

from harness.specs import Execution, ExternalNetwork, Resources, Trial
from harness.training.trainer import Trainer


def test_network_with_dropout_trains_alike_twice_and_after_an_interruption(quick_study, network_factories):
    trial = quick_study().trials[0]
    spec = ExternalNetwork(
        kind="python", factory="nets:small", in_channels=1, classes=10, args={"dropout": 0.5}
    ).with_content_hash()
    trial = Trial(variant=spec, data=trial.data, recipe=trial.recipe, seed=1)

    uninterrupted = without_times(train(Trainer(trial, Execution(), Resources())))
    torch.manual_seed(5)
    assert without_times(train(Trainer(trial, Execution(), Resources()))) == uninterrupted
    first = Trainer(trial, Execution(), Resources())
    assert train(first, epochs=1)[-1].epoch == 1
    second = Trainer(trial, Execution(), Resources())
    second.resume(first.state())
    assert without_times(train(second)) == uninterrupted[2:]
