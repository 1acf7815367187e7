"""Contrasts compare variants that differ only in what the contrast is about."""

import pytest

from harness.errors import HarnessError


def test_degradation_contrast_of_networks_that_also_differ_in_width_is_refused(quick_study):
    twins = {"family": "cifar-resnet", "shortcut": ["none", "identity"]}
    variants = [
        {**twins, "depth": 8, "set": {"widths": [2, 4, 8]}},
        {**twins, "depth": 14, "set": {"widths": [4, 8, 16]}},
    ]
    with pytest.raises(HarnessError, match="differ in widths"):
        quick_study(variants=variants)
