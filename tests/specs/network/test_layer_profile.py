"""The layer profile: which layers it holds, and which values it refuses."""

import math
from itertools import pairwise

import pytest

from harness.specs.network.layer_profile import MAX_LAYERS, LayerProfile, sampled_layers


def test_layer_profile_of_a_very_deep_network_keeps_so_many_values_and_both_ends():
    values = LayerProfile.from_values([float(i) for i in range(1, 1202)], [math.inf, *[2.0] * 1200], True)
    assert (values.layers, len(values.gradient), len(values.response)) == (1201, MAX_LAYERS, MAX_LAYERS)
    assert (values.gradient[0], values.gradient[-1], values.response[0]) == (1.0, 1201.0, None)
    assert len(values.model_dump_json()) < 4000


def test_sampled_layers_are_evenly_spaced_from_the_first_to_the_last():
    kept = sampled_layers(1201)
    assert (kept[0], kept[-1], len(set(kept))) == (1, 1201, MAX_LAYERS)
    assert {b - a for a, b in pairwise(kept)} == {4, 5}


@pytest.mark.parametrize(
    "wrong", [{"gradient": (1.0,)}, {"response": (1.0,)}, {"gradient": (-1.0, 1.0)}, {"layers": 0}]
)
def test_layer_profile_refuses_values_that_do_not_fit_its_layers(wrong):
    with pytest.raises(ValueError, match="LayerProfile"):
        LayerProfile(**{"layers": 2, "gradient": (1.0, 2.0), "response": (), **wrong})
