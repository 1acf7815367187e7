import pytest

from harness.reporting.statistics.multiple_testing import adjust_p_values


@pytest.mark.parametrize(
    ("ps", "adjusted"), [([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]), ([0.6, 0.7], [1.0, 1.0]), ([], [])]
)
def test_adjust_p_values_equals_holm_by_hand(ps, adjusted):
    assert adjust_p_values(ps) == pytest.approx(adjusted)
