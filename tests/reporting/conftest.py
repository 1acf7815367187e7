"""Fixtures for the tests of reports."""

import pytest
from reporting_helpers import make_results, make_study


@pytest.fixture(scope="session")
def quickstart():
    """Return the results of the quickstart, with errors like those of a real run."""
    return make_results(make_study())
