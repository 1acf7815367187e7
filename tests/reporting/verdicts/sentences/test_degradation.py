"""The sentences of a degradation, word for word: they are what readers quote."""

from reporting_helpers import make_clean_errors, make_results, make_study, make_untrained

from harness.reporting.verdicts.decision import decide_contrasts


def decide(study=None, **levels):
    study = study or make_study()
    (verdict,) = decide_contrasts(make_results(study, make_clean_errors(study, **levels)))
    return verdict


def test_supported_degradation():
    verdict = decide(plain32=20.0)
    assert verdict.answer == (
        "Yes: from depth 8 to 32, the training error of the plain networks rises by 19.0 points, and that of the "
        "residual networks by less than 0.5 points."
    )
    assert verdict.certainty == (
        "Supported within this budget (10 epochs) on digits: 8 paired seeds in the clean and in the online training "
        "error, largest p = 1/256; residual networks of up to 31 % of seeds may still exceed the margin (95 %)."
    )
    assert verdict.conclusion == (
        "Supported within this budget (10 epochs) on digits: from depth 8 to depth 32, the training error of the plain "
        "networks rises by more than 0.5 points (+19.02 points clean and +19.97 points online; weaker result, clean: "
        "95 % interval +18.93 to +19.10, p = 1/256); the training error of the residual networks rises by less than "
        "0.5 points (+0.02 points clean and +0.02 points online; weaker result, online: 95 % interval −0.08 to +0.11, "
        "p = 1/256): 8 of 8 seeds of the residual networks stayed below the margin, and at 95 % this excludes only "
        "that more than 31 % of seeds would not; the change of the plain networks exceeds that of the residual "
        "networks (+19.00 points clean and +19.95 points online; weaker result, clean: 95 % interval +18.88 to +19.12, "
        "p = 1/256). n = 8 paired seeds. The networks are compared at equal shape: plain and residual networks of one "
        "depth have the same layers. The seeds vary the initialisation and the order of the images."
    )


def test_contradicted_degradation_names_the_outcome_that_contradicts():
    verdict = decide(plain32=5.0, residual32=3.0)
    assert verdict.answer == (
        "No: from depth 8 to 32, the training error of the residual networks rises by more than 0.5 points."
    )
    assert verdict.conclusion == (
        "Contradicted within this budget (10 epochs) on digits: from depth 8 to depth 32, the training error of the "
        "residual networks rises by more than 0.5 points (+2.02 points clean and +2.12 points online; weaker result, "
        "clean: 95 % interval +1.93 to +2.11, p = 1/256). n = 8 paired seeds. The networks are compared at equal "
        "shape: plain and residual networks of one depth have the same layers. The seeds vary the initialisation and "
        "the order of the images."
    )


def test_undecided_degradation_says_what_is_established_and_what_is_not():
    verdict = decide(plain32=1.5)
    assert verdict.answer == (
        "Not decided: whether from depth 8 to 32 only the plain networks get a higher training error."
    )
    assert "it is undecided whether the training error of the plain networks rises by more than" in verdict.conclusion
    assert "; the training error of the residual networks rises by less than 0.5 points (" in verdict.conclusion


def test_answer_names_the_untrainable_network_and_what_is_known_of_the_others():
    (verdict,) = decide_contrasts(make_untrained(range(10)))
    assert verdict.answer == (
        "Not decided: from depth 8 to 32, cifar-plain32-w8 is untrainable under this recipe; the training error of the "
        "residual networks rises by less than 0.5 points."
    )
    assert verdict.certainty == (
        "Undecided within this budget (10 epochs) on digits: 10 paired seeds, and more seeds would not decide it."
    )
    assert verdict.conclusion.startswith(
        "Undecided within this budget (10 epochs) on digits: cifar-plain32-w8 is untrainable under this recipe (its "
        "training loss and errors stay at those of guessing), which is not degradation. With cifar-plain32-w8 the "
        "tests say supported (n = 10); without it there is no comparison. From depth 8 to depth 32, the plain change "
        "has no outcome (+88.91 points clean and +88.91 points online); the training error of the residual networks "
        "rises by less than 0.5 points ("
    )
    assert "; the difference of the two changes has no outcome (" in verdict.conclusion


def test_answer_says_that_the_trained_change_is_undecided_too():
    results = make_untrained(range(10), name="cifar-resnet32-w8")
    results.epochs.loc[results.epochs["variant"] == "cifar-plain32-w8", ["train/error", "train/error_clean"]] = 1.6
    (verdict,) = decide_contrasts(results)
    assert verdict.answer == (
        "Not decided: from depth 8 to 32, cifar-resnet32-w8 is untrainable under this recipe, and the plain change is "
        "undecided too."
    )


def test_preview_has_effects_without_intervals():
    study = make_study(seeds=[0, 1, 2])
    assert decide(study, plain32=20.0).conclusion == (
        "Undecided within this budget (10 epochs) on digits: Depth degradation from depth 8 to 32 – a preview with no "
        "inference, n = 3 seeds (measured, in points of training error (clean): plain, depth 32 − depth 8 +19.00; "
        "residual, depth 32 − depth 8 +0.07; plain change − residual change +18.93)."
    )


def test_seeds_above_the_margin_are_counted():
    study = make_study(seeds=list(range(10)))
    errors = make_clean_errors(study, plain32=20.0, residual32=1.05)
    # Two pairs differ from the others, one on each side, so that the differences are symmetric.
    errors["cifar-resnet32-w8"][0] += 0.6
    errors["cifar-resnet32-w8"][1] -= 0.6
    (verdict,) = decide_contrasts(make_results(study, errors, online=1.0))
    assert verdict.components[1].reached_outcome is not None
    assert (
        "9 of 10 seeds of the residual networks stayed below the margin, and at 95 % this excludes only that more than "
        "39 % of seeds would not"
    ) in verdict.conclusion
