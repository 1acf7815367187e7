"""The fixture ``lab``: several hosts on this machine."""

import pytest
from multi_host.lab import Lab, lab_obstacle


@pytest.fixture(scope="module")
def lab():
    """A lab without hosts; ``lab.up(3)`` starts the laptop h0 and three hosts. It is removed after the module."""
    if reason := lab_obstacle():
        pytest.skip(reason)
    lab = Lab()
    try:
        yield lab
    finally:
        lab.down()
