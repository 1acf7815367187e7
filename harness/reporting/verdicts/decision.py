"""The decision on every declared contrast: supported, contradicted or undecided.

Each contrast is tested by its components. Holm's method corrects the p values over all verdicts of the experiment, and
:func:`choose_state` compares them with the level. Where trials diverged, all is done again without their seeds: a
verdict that differs is undecided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from harness.reporting.statistics.multiple_testing import adjust_p_values
from harness.reporting.statistics.sample_size import seeds_for_power
from harness.reporting.verdicts.components import Component, build_components
from harness.reporting.verdicts.interim_looks import build_look, explain_exploratory
from harness.reporting.verdicts.notes import add_notes
from harness.reporting.verdicts.sentences import RISE_BELOW_MARGIN, format_title, write_conclusion
from harness.reporting.verdicts.verdict import Verdict, VerdictState
from harness.specs import Contrast, ResolvedExperiment
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, seeds_to_reach
from harness.specs.experiment.trial_status import TrialStatus
from harness.tracking.results_table import Results


def decide_contrasts(results: Results) -> list[Verdict]:
    """Return one verdict per declared contrast, in their order.

    Where variants were tuned, the verdicts at the common recipe come first, then those at the tuned recipes.
    """
    at_tuned_recipes = [] if results.tuned is None else _decide_with_and_without_diverged(results.tuned)
    return [
        *_decide_with_and_without_diverged(results),
        *(replace(verdict, title=f"{verdict.title}, at tuned recipes") for verdict in at_tuned_recipes),
    ]


def choose_state(p: float | None, p_opposite: float | None, level: float) -> VerdictState:
    """Return the state of a verdict from the corrected p of its claim and of the opposite claim.

    None stands for a claim that was not tested. Where both claims pass the level, neither counts.
    """
    supported = p is not None and p <= level
    contradicted = p_opposite is not None and p_opposite <= level
    if supported == contradicted:
        return "undecided"
    return "supported" if supported else "contradicted"


def _decide_with_and_without_diverged(results: Results) -> list[Verdict]:
    """Decide all contrasts of one experiment, where trials diverged also without their seeds."""
    study = results.study
    final = results.final if len(results.epochs) else results.epochs
    diverged = final[final["outcome"] == TrialStatus.DIVERGED]
    verdicts = _decide(study, final, [frozenset() for _ in study.contrast_variants])
    diverged_seeds = [
        frozenset(diverged[diverged["variant"].isin(list(cells.values()))]["seed"].tolist())
        for cells in study.contrast_variants
    ]
    if any(diverged_seeds):
        others = _decide(study, final, diverged_seeds)
        pairs = zip(verdicts, others, diverged_seeds, study.experiment.contrasts, strict=True)
        # A contrast without diverged trials changes too when Holm's correction does.
        verdicts = [
            _combine(a, b, contrast, study) if seeds or a.state != b.state else a for a, b, seeds, contrast in pairs
        ]
    return [
        add_notes(verdict, cells, results, diverged)
        for verdict, cells in zip(verdicts, study.contrast_variants, strict=True)
    ]


@dataclass(frozen=True)
class _TestedContrast:
    """A contrast with its tests, before the correction over all contrasts.

    Attributes:
        p: p of its claim; None where it could not be tested.
        p_opposite: p of the opposite claim; None where it could not be tested.
        exploratory: Why its verdict is only exploratory; empty where it is not.
    """

    contrast: Contrast
    components: tuple[Component, ...]
    p: float | None
    p_opposite: float | None
    exploratory: str


def _decide(study: ResolvedExperiment, final: pd.DataFrame, excluded_seeds: Sequence[frozenset[int]]) -> list[Verdict]:
    """Test every contrast without its ``excluded_seeds``, correct by Holm over all of them, and decide each."""
    tested = [
        _test_contrast(study, index, final, excluded_seeds[index]) for index in range(len(study.experiment.contrasts))
    ]
    # All declared verdicts count in Holm's correction: also those that could not be tested, and those at tuned recipes.
    others = [1.0] * (study.verdict_count - len(tested))
    supporting = [1.0 if t.p is None else min(1.0, t.p / t.contrast.share) for t in tested]
    opposing = [1.0 if t.p_opposite is None else t.p_opposite for t in tested]
    adjusted = adjust_p_values([*supporting, *others])[: len(tested)]
    adjusted_opposite = adjust_p_values([*opposing, *others])[: len(tested)]
    return [
        _build_verdict(study, t, p if t.p is not None else None, p_opposite if t.p_opposite is not None else None)
        for t, p, p_opposite in zip(tested, adjusted, adjusted_opposite, strict=True)
    ]


def _test_contrast(
    study: ResolvedExperiment, index: int, final: pd.DataFrame, excluded_seeds: frozenset[int]
) -> _TestedContrast:
    contrast = study.experiment.contrasts[index]
    components = build_components(study, contrast, study.contrast_variants[index], final, excluded_seeds)
    p = _largest_p(components)
    exploratory = explain_exploratory(study, build_look(study, index, final)) if p is not None else ""
    return _TestedContrast(contrast, components, p, _opposite_p(contrast, components), exploratory)


def _build_verdict(
    study: ResolvedExperiment, tested: _TestedContrast, p_adjusted: float | None, p_opposite_adjusted: float | None
) -> Verdict:
    """Return the verdict on a tested contrast from its corrected p values."""
    contrast, components, look_level = tested.contrast, tested.components, study.experiment.look_level
    state = choose_state(p_adjusted, p_opposite_adjusted, look_level)
    level = look_level * contrast.share
    is_below_margin = state == "undecided" and p_adjusted is not None and p_adjusted <= look_level
    needs_seeds = state == "undecided" and tested.p is not None and not is_below_margin
    verdict = Verdict(
        title=format_title(contrast),
        kind=contrast.kind,
        state=state,
        conclusion="",
        components=components,
        n=min(component.n for component in components),
        level=level,
        p=tested.p,
        p_adjusted=p_adjusted,
        p_opposite_adjusted=p_opposite_adjusted,
        seeds_to_decide=_count_seeds_to_decide(components, level / study.verdict_count) if needs_seeds else None,
        notes=(RISE_BELOW_MARGIN,) if is_below_margin else (),
        exploratory=tested.exploratory,
    )
    return replace(verdict, conclusion=write_conclusion(verdict, contrast, study))


def _largest_p(components: Sequence[Component]) -> float | None:
    """Return p of the whole claim (an intersection-union test), or None where a component was not tested."""
    ps = [component.p for component in components]
    return None if any(p is None for p in ps) else max(p for p in ps if p is not None)


def _opposite_p(contrast: Contrast, components: Sequence[Component]) -> float | None:
    """Return p of the opposite claim, or None where a component has none.

    Any one component can contradict, so the smallest p is multiplied by their number (Bonferroni). The opposite of a
    directional difference has its own share of the level, so its p is divided by that share.
    """
    ps = [component.p_opposite for component in components]
    if any(p is None for p in ps):
        return None
    factor = len(components) if contrast.share == 1 else 1 / (1 - contrast.share)
    return min(1.0, factor * min(p for p in ps if p is not None))


def _count_seeds_to_decide(components: Sequence[Component], level: float) -> int | None:
    """Return the number of seeds with which every component that is not established yet would be.

    It is planned with the larger spread of the component's errors. None where a component is limited by the number of
    images, so that more seeds would not decide.
    """
    if any(component.is_limited_by_images(level) for component in components):
        return None
    needed = [
        seeds_for_power(test.comparison.sd, component.smallest_effect, level, component.side == "two-sided")
        for component in components
        for test in component.tests
        if (component.p is None or component.p > level) and test.comparison and test.comparison.sd is not None
    ]
    return max(needed, default=max(SEEDS_FOR_CLAIMS, seeds_to_reach(level, 1)))


def _combine(verdict: Verdict, without_diverged: Verdict, contrast: Contrast, study: ResolvedExperiment) -> Verdict:
    """Return the verdict with and without the seeds of diverged trials: undecided where the two differ."""
    note = (
        f"With the diverged trials at chance error the verdict is {verdict.state} (n = {verdict.n}); "
        f"without their seeds it is {without_diverged.state} (n = {without_diverged.n})."
    )
    combined = replace(verdict, without_diverged=without_diverged, notes=(*verdict.notes, note))
    if verdict.state != without_diverged.state:
        combined = replace(combined, state="undecided", seeds_to_decide=None)
        combined = replace(combined, conclusion=write_conclusion(combined, contrast, study))
    return combined
