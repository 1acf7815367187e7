"""The sentences of a difference, word for word: they are what readers quote."""

from reporting_helpers import SEED_OFFSETS, TWO_VARIANTS, make_results, make_study, make_untrained

from harness.reporting.verdicts.decision import decide_contrasts

A, B = "cifar-resnet8-w8", "cifar-plain8-w8"


def decide(of_a, **changes):
    study = make_study(contrasts=[{"kind": "difference", "a": A, "b": B, **changes}])
    test_errors = {variant.name: [4.0 + offset for offset in SEED_OFFSETS[:8]] for variant in study.variants}
    (verdict,) = decide_contrasts(make_results(study, test_errors=test_errors | {A: of_a}))
    return verdict


LOWER = [2.0 + 2 * offset / 3 for offset in SEED_OFFSETS[:8]]


def test_supported_difference():
    verdict = decide(LOWER)
    assert verdict.answer == f"Yes: the test error of {A} is lower than that of {B}, by 2.42 points, at equal shape."
    assert verdict.conclusion == (
        f"Supported within this budget (10 epochs) on digits: the test error of {A} is lower than that of {B} by 2.42 "
        "points (95 % interval −2.71 to −2.13, p = 1/256). n = 8 paired seeds. The networks are compared at equal "
        "shape. The seeds vary the initialisation and the order of the images."
    )


def test_contradicted_difference_starts_with_no():
    verdict = decide(LOWER, side="greater")
    assert verdict.answer == f"No: the test error of {A} is lower than that of {B}, by 2.42 points, at equal shape."


def test_undecided_difference_points_to_a_declared_plan():
    verdict = decide([4.0 + offset for offset in reversed(SEED_OFFSETS[:8])], side="two-sided")
    assert (
        verdict.answer == f"Not decided: whether the test error of {A} is different from that of {B}, at equal shape."
    )
    needed = verdict.seeds_to_decide
    assert verdict.conclusion == (
        f"Undecided within this budget (10 epochs) on digits: it is undecided whether the test error of {A} is "
        f"different from that of {B} (0.00 points; 95 % interval −1.09 to +1.09, two-sided p = 1). n = 8 paired seeds. "
        "The networks are compared at equal shape. "
        "The seeds vary the initialisation and the order of the images. If the effects lie 0.5 points beyond what must "
        f"be excluded, {needed.low} to {needed.high} seeds, likely {needed.likely}, would decide it with a power of "
        "80 %, as far as the spread is known. Declare "
        f"`decide: {{first: 12, step: {(needed.high - 12) // 6}, most: {needed.high}}}` with seeds that are not used "
        "here. That is a new batch: it is no exploratory verdict, and has 1/4 of the level, for which these numbers "
        "are made. More seeds of this batch would make its verdict exploratory."
    )


def test_difference_to_an_untrainable_variant_claims_nothing():
    contrast = {"kind": "difference", "a": A, "b": B, "metric": "train/error_clean"}
    results = make_untrained(range(10), name=B, **{**TWO_VARIANTS, "contrasts": [contrast]})
    (verdict,) = decide_contrasts(results)
    assert verdict.answer == f"Not decided: {B} is untrainable under this recipe."
    assert verdict.conclusion.startswith(
        f"Undecided within this budget (1 epoch) on digits: {B} is untrainable under this recipe (its training loss "
        "and errors stay at those of guessing), which says nothing about a difference. With cifar-plain8-w8 the tests "
        "say supported (n = 10); without it there is no comparison. The difference has no outcome (−88.91 points). "
        "n = 10 paired seeds."
    )
    assert "p = " not in verdict.certainty


def test_two_sided_p_counts_both_sides():
    assert "two-sided p = 0.00781" in decide(LOWER, side="two-sided").conclusion


def test_nothing_is_called_what_was_not_tested():
    for verdict in (decide(LOWER), decide(LOWER, side="greater")):
        text = f"{verdict.title} {verdict.answer} {verdict.certainty} {verdict.conclusion}"
        assert not [word for word in ("better", "worse", "significant") if word in text]
