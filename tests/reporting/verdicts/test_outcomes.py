"""The outcomes of a component: they never overlap, and their shares of the level add up."""

import numpy as np
import pytest

from harness.reporting.verdicts.outcomes import (
    difference_outcomes,
    distance_beyond,
    interaction_outcomes,
    plain_outcomes,
    residual_outcomes,
)
from harness.specs import Degradation, Difference

COMPONENTS = {
    "plain": plain_outcomes(0.5),
    "residual": residual_outcomes(0.5),
    "interaction": interaction_outcomes(),
    "difference": difference_outcomes("less", 0.75),
    "two-sided": difference_outcomes("two-sided", 1.0),
}
EFFECTS = np.round(np.arange(-2, 2, 0.01) + 0.005, 3)
"""None of them lies on a bound."""


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_effect_has_exactly_one_outcome(name):
    assert {sum(outcome.holds_for(effect) for outcome in COMPONENTS[name]) for effect in EFFECTS} == {1}


def test_each_way_to_contradict_a_degradation_has_a_quarter_of_the_level():
    ways = [o for name in ("plain", "residual", "interaction") for o in COMPONENTS[name] if o.role == "contradicts"]
    assert [(way.name, way.share) for way in ways] == [
        ("negligible", 0.25),
        ("falls", 0.25),
        ("worse", 0.25),
        ("not positive", 0.25),
    ]


def test_non_inferiority_has_half_of_the_level():
    (not_worse,) = [o for o in COMPONENTS["residual"] if o.role == "supports"]
    assert (not_worse.bounds, not_worse.share) == ((("less", 0.5),), 0.5)


@pytest.mark.parametrize(
    ("side", "roles", "shares"),
    [
        ("less", {"lower": "supports", "higher": "contradicts"}, {"lower": 0.75, "higher": 0.25}),
        ("greater", {"lower": "contradicts", "higher": "supports"}, {"lower": 0.25, "higher": 0.75}),
        ("two-sided", {"lower": "supports", "higher": "supports"}, {"lower": 0.5, "higher": 0.5}),
    ],
)
def test_a_difference_shares_its_level_between_its_sides(side, roles, shares):
    outcomes = difference_outcomes(side, 0.75)
    assert {outcome.name: outcome.role for outcome in outcomes} == roles
    assert {outcome.name: outcome.share for outcome in outcomes} == shares


@pytest.mark.parametrize(
    ("bound", "effect", "distance"),
    [
        (("less", 0.5), 0.2, 0.3),
        (("less", 0.5), 0.7, -0.2),
        (("greater", -0.5), 0.2, 0.7),
        (("greater", 0.5), 0.2, -0.3),
    ],
)
def test_distance_beyond_a_bound_is_positive_on_the_claimed_side(bound, effect, distance):
    assert distance_beyond(bound, effect) == pytest.approx(distance)
    assert distance_beyond(bound, np.array([effect] * 2)) == pytest.approx([distance] * 2)


@pytest.mark.parametrize(
    ("contrast", "components"),
    [
        (Degradation(kind="degradation", shallow=8, deep=32, margin=0.5), ["plain", "residual", "interaction"]),
        (Difference(kind="difference", a="a", b="b"), ["difference"]),
        (Difference(kind="difference", a="a", b="b", side="two-sided"), ["two-sided"]),
    ],
)
def test_smallest_share_of_a_contrast_is_that_of_its_strictest_claimed_outcome(contrast, components):
    claimed = [o for name in components for o in COMPONENTS[name] if o.role == "supports"]
    assert contrast.smallest_share == min(outcome.share for outcome in claimed)
