"""The outcomes of a component: they never overlap, and their shares of the level add up."""

import numpy as np
import pytest

from harness.reporting.verdicts.outcomes import (
    difference_outcomes,
    interaction_outcomes,
    plain_outcomes,
    residual_outcomes,
)

COMPONENTS = {
    "plain": plain_outcomes(0.5),
    "residual": residual_outcomes(0.5),
    "interaction": interaction_outcomes(),
    "difference": difference_outcomes("less", 0.75),
    "two-sided": difference_outcomes("two-sided", 1.0),
}
EFFECTS = np.round(np.arange(-2, 2, 0.01) + 0.005, 3)
"""None of them lies on a bound."""


def holds(outcome, effect):
    return all(effect < value if side == "less" else effect > value for side, value in outcome.bounds)


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_effect_has_exactly_one_outcome(name):
    assert {sum(holds(outcome, effect) for outcome in COMPONENTS[name]) for effect in EFFECTS} == {1}


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
