"""Factories of networks as a user would write them, valid and invalid; tests copy this file as ``nets.py``."""

from torch import nn


def small(in_channels, classes, width=4, dropout=0.0):
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(width, classes),
    )


def perceptron(in_channels, classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes) if in_channels > 1 else nn.Linear(64, classes))


def raising(in_channels, classes):
    raise ZeroDivisionError("no [bold]luck")


def no_module(in_channels, classes):
    return {"classes": classes}


def wrong_shape(in_channels, classes):
    return small(in_channels, classes + 1)


def no_tensor(in_channels, classes):
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = small(in_channels, classes)

        def forward(self, x):
            return self.net(x), x

    return Pair()


constant = 3
