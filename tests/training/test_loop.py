"""The training loop against a loop written in bare PyTorch, and its ends."""

import torch
import torch.nn.functional as F
from training_helpers import train

from harness.data.description import describe_data
from harness.data.splits import load_splits
from harness.models import build
from harness.specs import DataSpec, Execution, Recipe, Resources, Trial
from harness.specs.random_streams import stream_seed
from harness.training.loop import TrainingLoop
from harness.training.trainer import Trainer

EPOCHS = 3


def test_training_loop_gives_the_losses_of_a_bare_pytorch_loop(catalogue):
    _, data = describe_data(DataSpec(name="digits", train_images=512))
    variant = catalogue.get("cifar-resnet8").model_copy(update={"widths": (4, 8, 16), "classes": 10, "in_channels": 1})
    recipe = Recipe(epochs=EPOCHS, batch=128, lr=0.05, schedule="constant", weight_decay=1e-4)
    trial = Trial(variant=variant, data=data, recipe=recipe, seed=7)
    results = train(Trainer(trial, Execution(), Resources()))
    losses = [result.metrics["train/loss"] for result in results if result.epoch > 0]

    splits = load_splits(data)
    pixels, labels = splits.train.images, splits.train.labels
    mean, std = torch.tensor(splits.mean).view(1, -1, 1, 1), torch.tensor(splits.std).view(1, -1, 1, 1)
    net = build(variant, seed=7).train()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    expected = []
    for epoch in range(1, EPOCHS + 1):
        total = 0.0
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(stream_seed(7, "order", epoch)))
        for index in order.split(128):
            x = (pixels[index].float() / 255 - mean) / std
            loss = F.cross_entropy(net(x), labels[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(index)
        expected.append(total / len(labels))
    assert len(losses) == EPOCHS and losses[-1] < losses[0]
    torch.testing.assert_close(torch.tensor(losses), torch.tensor(expected), rtol=1e-4, atol=0)


def test_training_loop_yields_none_at_a_pause_and_goes_on(trial):
    trainer = Trainer(trial(), Execution(), Resources())
    positions = {(0, 2), (1, 1)}

    def pause():
        if trainer.position not in positions:
            return "no"
        positions.remove(trainer.position)
        return "save"

    yields = TrainingLoop([trainer]).run(pause)
    epochs = [None if results is None else [result.epoch for _, result in results] for results in yields]
    assert epochs == [None, [0, 1], None, [2]]


def test_training_loop_ends_when_its_only_slot_leaves(trial):
    loop = TrainingLoop([Trainer(trial(epochs=5), Execution(), Resources())])
    for results in loop.run():
        assert [slot for slot, _ in results] == [0, 0]
        loop.leave(0)
    assert loop.live == []
