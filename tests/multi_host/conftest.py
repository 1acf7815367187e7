"""A lab of real hosts, for tests that need more than one."""

import pytest
from multi_host.lab import Lab, missing


@pytest.fixture(scope="module")
def lab():
    """An empty lab; ``lab.up(3)`` starts the laptop h0 and three hosts. It is removed after the module's tests."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    made = Lab()
    try:
        yield made
    finally:
        made.down()
