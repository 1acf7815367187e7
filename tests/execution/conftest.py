"""Experiments small enough to run whole, and what failed trials are made of."""

import pytest

from harness.api import Settings


@pytest.fixture(params=["sqlite", "none"])
def here(request, tmp_path):
    """A home with its record in SQLite, or in the journals alone."""
    uri = "none" if request.param == "none" else None
    return Settings(home=tmp_path / "home", tracking_uri=uri, launcher="inline", reports=tmp_path / "reports")


@pytest.fixture
def one(quick_study):
    """The quick experiment with one seed and its four variants, a checkpoint after every step."""
    return quick_study(seeds=[100], execution={"checkpoint_seconds": 0})


class Failing:
    """Fails the training after some forward passes."""

    def __init__(self, monkeypatch, calls):
        from harness.models import network

        self.original, self.calls = network.Network.forward, 0

        def forward(net, x):
            self.calls += 1
            if self.calls > calls:
                raise RuntimeError("out of [bold]luck")
            return self.original(net, x)

        monkeypatch.setattr(network.Network, "forward", forward)


@pytest.fixture
def failing():
    """What makes the training fail after some forward passes."""
    return Failing
