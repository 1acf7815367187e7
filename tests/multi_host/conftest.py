"""A lab of real hosts for the tests that need more than one."""

import pytest
from multi_host.lab import Lab, missing


@pytest.fixture(scope="module")
def lab():
    """An empty lab; ``lab.up(3)`` makes the laptop h0 and three hosts. Gone when the module's tests are done."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    made = Lab()
    try:
        yield made
    finally:
        made.down()
