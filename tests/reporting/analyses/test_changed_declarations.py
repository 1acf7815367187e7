"""Verdicts that are exploratory because the fields of what is declared were changed."""

import pytest
from reporting.analyses.analysis_helpers import CONTRAST, SECOND, A, B, analyse, reason
from reporting_helpers import TWO_VARIANTS

from harness.specs.declarations.declaration import Declaration


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"level": 0.2}, "level 0.05 → 0.2"),
        ({"contrasts": [{**CONTRAST, "smallest_effect": 1.0}]}, "smallest effect 0.5 → 1"),
        ({"contrasts": [{**CONTRAST, "side": "greater"}]}, "side less → greater"),
        ({"contrasts": [{**CONTRAST, "a": B, "b": A}]}, "side "),
        ({"contrasts": [{**CONTRAST, "side": "two-sided"}]}, "side less → two-sided"),
        ({"contrasts": [SECOND]}, "metric test/error → train/error"),
        ({"looks": [8, 12]}, "looks none → 8, 12"),
        ({"decide": {"first": 8, "step": 4, "most": 16}}, "decide none → 8:16:4"),
        ({"name": "renamed", "level": 0.2}, "level 0.05 → 0.2"),
    ],
)
def test_a_changed_declaration_makes_the_verdict_exploratory_and_shows_the_first(changes, words):
    _, recorded = analyse(8)
    verdicts, _ = analyse(8, recorded, day=27, **changes)
    text = reason(verdicts)
    assert "what is declared was changed on 2026-11-27, after results were seen on 2026-11-01" in text
    assert words in text
    assert verdicts[0].first.state == "supported"
    assert (
        "Under the first declaration, of 2026-11-01 (metric test/error, side less, smallest effect 0.5, level 0.05"
        in (verdicts[0].exploratory)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"contrasts": [{**CONTRAST, "a": B, "b": A, "side": "greater"}]},
        {"contrasts": [{**CONTRAST, "margin_reason": "Half a point is one image in two hundred."}]},
        {
            "contrasts": [CONTRAST, {**CONTRAST, "a": "cifar-resnet14-w8"}],
            "variants": [
                *TWO_VARIANTS["variants"],
                {"family": "cifar-resnet", "depth": 14, "shortcut": "identity", "set": {"widths": [8, 16, 32]}},
            ],
        },
        {"question": "Another question?", "notes": "Notes."},
        {"name": "renamed"},
        {"resources": {"cpus": 2}},
        {"execution": {"memory_format": "contiguous"}},
    ],
    ids=[
        "the same claim the other way round",
        "reason",
        "a contrast with a new variant",
        "question",
        "name",
        "resources",
        "execution",
    ],
)
def test_a_harmless_change_leaves_the_verdict(changes):
    _, recorded = analyse(8)
    verdicts, _ = analyse(8, recorded, day=2, **changes)
    assert [verdict.exploratory for verdict in verdicts] == [""] * len(verdicts)


def test_a_change_back_to_the_first_declaration_is_not_exploratory():
    first, recorded = analyse(8)
    _, recorded = analyse(8, recorded, day=2, level=0.2)
    assert analyse(8, recorded, day=3)[0] == first


def test_an_experiment_under_another_name_names_the_report_that_was_seen():
    _, recorded = analyse(8, name="first-name")
    verdicts, _ = analyse(8, recorded, day=2, level=0.2)
    assert "in the report of first-name" in reason(verdicts)


@pytest.mark.parametrize("kept", [0, 1], ids=["declaration removed", "declaration edited"])
def test_an_analysis_without_its_declaration_makes_later_verdicts_exploratory(kept):
    _, recorded = analyse(8)
    edited = Declaration.model_validate({**recorded.declarations[0].model_dump(), "level": 0.2})
    changed = recorded.replace(declarations=(edited,)[:kept])
    assert "no longer says what was declared" in reason(analyse(8, changed, level=0.2)[0])
