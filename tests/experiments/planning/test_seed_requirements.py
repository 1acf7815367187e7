import pytest
from reporting_helpers import TWO_VARIANTS, make_study

from harness.errors import HarnessError
from harness.experiments.planning.seed_requirements import require_enough_seeds, undeclared_look_warning
from harness.specs.experiment.interim_looks import InterimLook


@pytest.mark.parametrize(
    ("changes", "problem", "remedy"),
    [
        ({"looks": [8, 12, 16]}, "the experiment has 10", "--seeds 8, 12 or 16"),
        ({"looks": [8, 9, 10], "level": 0.01}, "8 seeds: the smallest possible p is 1/2^8", "at least 9 seeds"),
        ({"level": 0.001}, "10 seeds: the smallest possible p is 1/2^10", "at least 11 seeds"),
    ],
    ids=["undeclared look", "look too early for its share of the level", "too few seeds for the level"],
)
def test_seeds_that_can_never_decide_are_refused(changes, problem, remedy):
    with pytest.raises(HarnessError) as caught:
        require_enough_seeds(make_study(**TWO_VARIANTS, seeds=list(range(10)), **changes))
    assert problem in caught.value.what and remedy in caught.value.remedy
    assert caught.value.where == ("looks" if "looks" in changes else "seeds")


def test_a_preview_is_not_refused():
    require_enough_seeds(make_study(**TWO_VARIANTS, seeds=list(range(7)), looks=[8, 12]))


@pytest.mark.parametrize(("contrasts", "is_refused"), [(9, False), (10, True)])
def test_many_contrasts_are_refused_when_the_smallest_p_misses_their_share(contrasts, is_refused):
    """The smallest p of eight seeds is 1/256. Three quarters of 0.05 over nine verdicts is above it, over ten below."""
    study = make_study(**TWO_VARIANTS, seeds=list(range(8)))
    (contrast,) = study.experiment.contrasts
    several = tuple(contrast.model_copy(update={"smallest_effect": 1.0 + i}) for i in range(contrasts))
    study = study.model_copy(update={"experiment": study.experiment.model_copy(update={"contrasts": several})})
    if not is_refused:
        require_enough_seeds(study)
        return
    with pytest.raises(HarnessError, match=r"10 verdicts at level 0\.0375 can never be reached with 8 seeds"):
        require_enough_seeds(study)


@pytest.mark.parametrize(("seeds", "words"), [(12, "already computed with 8 seeds"), (8, "")])
def test_undeclared_look_warning_names_an_earlier_look_at_fewer_seeds(seeds, words):
    study = make_study(**TWO_VARIANTS, seeds=list(range(10, 10 + seeds)))
    look = InterimLook(cells=study.contrast_keys[0], seeds=tuple(range(10, 18)), declared=())
    warning = undeclared_look_warning(study.replace(looks=(look,)))
    assert words in warning and bool(words) == bool(warning)
