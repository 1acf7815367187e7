import pytest

from harness.specs import Recipe, Variant


@pytest.fixture
def trial(quick_study):
    """A function that returns a trial of the quick experiment with fields of its variant and recipe changed."""
    trials = quick_study().trials

    def make(index=4, variant=None, **recipe):
        original = trials[index]
        if not isinstance(variant, Variant):
            variant = Variant(**{**original.variant.model_dump(), **(variant or {})})
        recipe = Recipe(**{**original.recipe.model_dump(), **recipe})
        return original.model_copy(update={"recipe": recipe, "variant": variant})

    return make
