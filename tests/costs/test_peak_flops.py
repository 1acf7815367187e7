"""The peak of a device."""

from itertools import count

import torch

from harness.costs.peak_flops import measure_peak_flops


def test_peak_flops_counts_two_per_multiply_add_of_the_largest_product(monkeypatch):
    """The clock advances half a second at each reading, so every product takes half a second."""
    readings = count()
    monkeypatch.setattr("harness.costs.peak_flops.perf_counter", lambda: next(readings) / 2)
    assert measure_peak_flops(torch.device("cpu"), "fp32", seconds=0) == 2 * 1024**3 / 0.5
