"""Results on two data sets that agree, and that do not."""

import pytest
from data_sets_helpers import DEGRADED, FLAT, make_data_sets_results


@pytest.fixture(scope="session")
def agreeing():
    """Both data sets support the contrast."""
    return make_data_sets_results(DEGRADED, DEGRADED)


@pytest.fixture(scope="session")
def differing():
    """The first data set supports the contrast, and the second one contradicts it."""
    return make_data_sets_results(DEGRADED, FLAT)
