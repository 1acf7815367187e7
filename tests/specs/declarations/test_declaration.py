"""The digest of a declaration, the words for its changes, and logs of analyses."""

import pytest
from reporting_helpers import QUICKSTART, TWO_VARIANTS, make_study

from harness.specs.declarations.analysis import Analysis, AnalysisLog, merge_logs
from harness.specs.declarations.changes import compare_declarations, format_seeds
from harness.specs.declarations.declaration import Declaration
from harness.specs.declarations.declare import build_analysis, cell_hashes, declare

(DEGRADATION,) = QUICKSTART["contrasts"]


def declared(**changes):
    return declare(make_study(**changes))


def test_a_declaration_is_read_again_with_the_same_digest():
    first = declared()
    assert Declaration.model_validate_json(first.model_dump_json(exclude_defaults=True)).digest == first.digest


def test_the_digest_of_a_declaration_stays_over_versions():
    """A later version with another digest would call every earlier experiment changed."""
    assert (declared().digest, declared(**TWO_VARIANTS).digest) == ("ce001eeb47ef", "c70670f01791")


@pytest.mark.parametrize(
    "changes",
    [
        {"question": "Another question?"},
        {"contrasts": [{**DEGRADATION, "margin_reason": "Half a point is seven of 1,438 images."}]},
        {"contrasts": [{**DEGRADATION, "smallest_effect": 0.5}]},
        {"contrasts": [{**DEGRADATION, "family": "cifar-resnet"}]},
        {"seeds": list(range(17, 9, -1))},
        {"recipe": {"epochs": 3, "batch": 64, "lr": 0.1}},
    ],
    ids=[
        "question",
        "reason",
        "the default written out",
        "a selector that selects the same",
        "order of seeds",
        "recipe",
    ],
)
def test_the_digest_ignores_what_changes_no_verdict(changes):
    assert declared(**changes).digest == declared().digest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"contrasts": [{**DEGRADATION, "margin": 1.0}]}, "margin 0.5 → 1"),
        ({"contrasts": [{**DEGRADATION, "smallest_effect": 0.1}]}, "smallest effect none → 0.1"),
        ({"contrasts": [{**DEGRADATION, "deep": 20}]}, "removed: degradation from 8 to 32 layers"),
        ({"contrasts": []}, "removed: degradation from 8 to 32 layers"),
        ({"level": 0.2}, "level 0.05 → 0.2"),
        ({"untrained_tolerance": 0.0}, "untrained tolerance 0.05 → 0"),
        ({"looks": [8, 16]}, "looks none → 8, 16"),
        ({"decide": {"first": 8, "step": 4, "most": 32}}, "decide none → 8:32:4"),
    ],
)
def test_compare_declarations_names_each_change(changes, words):
    later = declared(**changes)
    assert later.digest != declared().digest
    assert compare_declarations(declared(), later).changes == (words,)


def test_compare_declarations_names_changed_seeds_of_an_adaptive_experiment():
    decide = {"first": 8, "step": 4, "most": 32}
    first, later = declared(decide=decide), declared(decide=decide, seeds=list(range(50, 58)))
    assert compare_declarations(first, later).changes == ("seeds 10 to 41 → 50 to 81",)


def test_an_added_contrast_is_no_change_of_the_others():
    later = declared(contrasts=[DEGRADATION, {**DEGRADATION, "deep": 20}])
    compared = compare_declarations(declared(), later)
    assert compared.changes == ()
    assert [compared.is_added(contrast) for contrast in later.contrasts] == [False, True]


def test_cell_hashes_depend_on_recipe_and_data_and_not_on_seeds_and_names():
    study = make_study()
    renamed = study.replace(variants=tuple(v.model_copy(update={"name": f"{v.name}-x"}) for v in study.variants))
    assert cell_hashes(make_study(seeds=[1, 2])) == cell_hashes(renamed) == cell_hashes(study)
    assert not set(cell_hashes(make_study(recipe={"epochs": 3, "batch": 64, "lr": 0.1}))) & set(cell_hashes(study))


def test_merge_logs_keeps_the_first_of_equal_analyses_and_orders_by_time():
    study = make_study()
    early, late = (build_analysis(study, 0, range(8), "undecided", f"2026-11-0{day}T12:00:00+00:00") for day in (1, 2))
    other = build_analysis(study, 0, range(9), "supported", "2026-11-01T18:00:00+00:00")
    log = merge_logs(
        [AnalysisLog(declarations=(declare(study),), analyses=(late, other)), AnalysisLog(analyses=(early,))]
    )
    assert log.analyses == (early, other)
    assert log.declarations == (declare(study),)


@pytest.mark.parametrize("changes", [{"at": "yesterday"}, {"state": "sure"}, {"cells": ["*"]}, {"experiment": "../up"}])
def test_an_analysis_with_other_text_is_refused(changes):
    fields = build_analysis(make_study(), 0, range(8), "undecided", "2026-11-01T12:00:00+00:00").model_dump()
    with pytest.raises(ValueError, match=next(iter(changes))):
        Analysis.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ([], "none"),
        ([3], "3"),
        (range(8), "0 to 7"),
        ([0, 1, 5], "0 to 1, 5"),
        (range(0, 20, 2), "10 seeds from 0 to 18"),
    ],
)
def test_format_seeds_gives_ranges(seeds, words):
    assert format_seeds(seeds) == words
