"""The training loop computes what a bare PyTorch loop computes, step by step."""

import torch
import torch.nn.functional as F

from harness.data.description import describe_data
from harness.data.loader import load_splits
from harness.models import build
from harness.specs import DataSpec, Execution, Recipe, Resources, Trial
from harness.specs.random_streams import stream_seed
from harness.training.trainer import Trainer

EPOCHS = 3


def test_the_loss_curves_are_equal(catalogue):
    _, data = describe_data(DataSpec(name="digits", train_images=512))
    variant = catalogue.get("cifar-resnet8").model_copy(update={"widths": (4, 8, 16), "classes": 10, "in_channels": 1})
    recipe = Recipe(epochs=EPOCHS, batch=128, lr=0.05, schedule="constant", weight_decay=1e-4)
    trial = Trial(variant=variant, data=data, recipe=recipe, seed=7)
    ours = [m["train/loss"] for n, m in Trainer(trial, Execution(), Resources()).run() if n > 0]

    splits = load_splits(data)
    pixels, labels = splits.train.images, splits.train.labels
    mean, std = torch.tensor(splits.mean).view(1, -1, 1, 1), torch.tensor(splits.std).view(1, -1, 1, 1)
    net = build(variant, seed=7).train()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    bare = []
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
        bare.append(total / len(labels))
    assert len(ours) == EPOCHS and ours[-1] < ours[0]
    torch.testing.assert_close(torch.tensor(ours), torch.tensor(bare), rtol=1e-4, atol=0)
