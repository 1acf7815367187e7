import pytest
import torch

from harness.models.seed_ensemble import merge_module


def test_merge_module_refuses_a_module_without_a_form_for_several_seeds():
    with pytest.raises(TypeError, match="Tanh has no form for several seeds"):
        merge_module(torch.nn.Tanh(), 2)
