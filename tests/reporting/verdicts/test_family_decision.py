"""Holm's method stage after stage: which contrasts are decided when, at which level."""

from dataclasses import dataclass

import pytest

from harness.reporting.verdicts.family_decision import decide_family


@dataclass(frozen=True)
class Contrast:
    """A contrast of which it is known at which stage it passes, by the smallest level that suffices.

    Attributes:
        supports: Stage by the level needed there for the claim.
        contradicts: The same for the opposite.
    """

    supports: dict
    contradicts: dict
    reached: tuple = (8, 12, 16)

    def reached_at(self, role, level):
        needed = self.supports if role == "supports" else self.contradicts
        return min((stage for stage, smallest in needed.items() if level >= smallest), default=None)


def states(contrasts, count=None, level=0.05):
    return [(d.state, d.stage) for d in decide_family(contrasts, count or len(contrasts), level)]


def test_one_contrast_has_the_whole_level():
    assert states([Contrast({8: 0.05}, {})]) == [("supported", 8)]
    assert states([Contrast({8: 0.051}, {})]) == [("undecided", None)]


def test_a_decided_contrast_leaves_its_level_to_the_others():
    assert states([Contrast({8: 0.02}, {}), Contrast({8: 0.05}, {})]) == [("supported", 8), ("supported", 8)]
    assert states([Contrast({8: 0.03}, {}), Contrast({8: 0.05}, {})]) == [("undecided", None), ("undecided", None)]


def test_the_others_are_tested_again_at_the_stage_that_decides_one():
    """At stage 8 the second contrast passes at the whole level, which it has only from stage 12 on."""
    assert states([Contrast({12: 0.02}, {}), Contrast({8: 0.05}, {})]) == [("supported", 12), ("supported", 12)]


def test_verdicts_that_cannot_be_tested_count_in_the_family():
    assert states([Contrast({8: 0.02}, {})], count=3) == [("undecided", None)]


def test_a_decision_is_final():
    assert states([Contrast({12: 0.05}, {8: 0.05})]) == [("contradicted", 8)]


def test_supporting_and_contradicting_have_the_level_each():
    assert states([Contrast({8: 0.03}, {}), Contrast({}, {8: 0.03})]) == [("undecided", None), ("undecided", None)]
    assert states([Contrast({8: 0.025}, {}), Contrast({}, {8: 0.025})]) == [("supported", 8), ("contradicted", 8)]


def test_levels_are_those_of_the_last_test():
    decided, opened = decide_family([Contrast({8: 0.02}, {}), Contrast({}, {})], 2, 0.05)
    assert decided.levels["supports"] == pytest.approx(0.025)
    assert opened.levels == {"supports": 0.05, "contradicts": 0.025}
