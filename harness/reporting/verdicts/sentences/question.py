"""Phrases for the quantity that is equal between the networks of a contrast: for title, answer and conclusion."""

from __future__ import annotations

from functools import lru_cache

from harness.specs import Contrast, Degradation, ResolvedExperiment, Variant
from harness.specs.matching.questions import Question, classify_question
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.layer_plan import plan_layers

SHORT = {
    "shape": "at equal shape",
    "params": "at equal parameters",
    "macs": "at equal MACs",
    "step_time": "at equal step time",
}


def find_question(contrast: Contrast, study: ResolvedExperiment) -> Question:
    """Return the question of a contrast. Costs are those of the layer plans, so external networks have none here."""
    names = contrast.find_variants(study.variants)
    compared = tuple(variant for variant in study.variants if variant.name in names.values())
    return classify_question(names, compared, study.experiment.variants, _count_costs(compared, study.data.size))


@lru_cache(maxsize=256)
def _count_costs(variants: tuple[AnyVariant, ...], size: tuple[int, int]) -> dict[str, tuple[float, float]]:
    """Return parameters and MACs by name; a report asks for those of the same variants several times."""
    plans = {variant.name: plan_layers(variant, size) for variant in variants if isinstance(variant, Variant)}
    return {name: (plan.params, plan.macs) for name, plan in plans.items()}


def format_question(contrast: Contrast, study: ResolvedExperiment) -> str:
    """Return what is equal, after a comma, as in ``, at equal MACs``; empty where nothing is.

    It is empty for a degradation too, whose networks of one depth always have equal shape.
    """
    if isinstance(contrast, Degradation):
        return ""
    short = SHORT.get(find_question(contrast, study).kind, "")
    return f", {short}" if short else ""


def describe_question(contrast: Contrast, study: ResolvedExperiment) -> str:
    """Return a sentence that says what is equal and how nearly, or that nothing is."""
    return f"The networks are compared {find_question(contrast, study).phrase}."
