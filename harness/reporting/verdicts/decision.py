"""The decision on every declared contrast: supported, contradicted or undecided.

Each contrast is tested by its components over the declared stages, and Holm's method shares the level between all
contrasts. Where trials failed to train, all is done again without them: a verdict that differs is undecided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from harness.reporting.analyses.exploratory import explain_exploratory, list_earlier_batches
from harness.reporting.analyses.first_declaration import add_first_verdicts
from harness.reporting.statistics.multiple_testing import adjust_p_values
from harness.reporting.verdicts.component import Component
from harness.reporting.verdicts.components import build_components
from harness.reporting.verdicts.failures import find_failures
from harness.reporting.verdicts.family_decision import ROLES, Decision, decide_family
from harness.reporting.verdicts.notes import add_notes
from harness.reporting.verdicts.outcomes import OutcomeResult, Role
from harness.reporting.verdicts.seeds_needed import count_seeds_needed
from harness.reporting.verdicts.sentences.conclusions import add_sentences
from harness.reporting.verdicts.sentences.phrases import format_title
from harness.reporting.verdicts.sentences.question import format_question
from harness.reporting.verdicts.stage_plan import StagePlan, plan_stages, reached_stages
from harness.reporting.verdicts.stage_tests import ContrastTests
from harness.reporting.verdicts.verdict import StageSummary, Verdict
from harness.specs import Contrast, ResolvedExperiment
from harness.specs.declarations.batches import level_share
from harness.tracking.results_table import Results


def decide_contrasts(results: Results, stage: int | None = None) -> list[Verdict]:
    """Return one verdict per declared contrast, in their order.

    Where variants were tuned, the verdicts at the common recipe come first, then those at the tuned recipes. Where what
    is declared was changed after results were seen, a verdict also says what it is under the first declaration.

    Args:
        stage: The stage that has just ended, as a number of declared seeds; later seeds decide nothing. None: all
            stages that the record holds.
    """
    at_tuned_recipes = [] if results.tuned is None else _decide_with_and_without_failures(results.tuned, stage)
    verdicts = [
        *_decide_with_and_without_failures(results, stage),
        *(replace(verdict, title=f"{verdict.title}, at tuned recipes") for verdict in at_tuned_recipes),
    ]
    return add_first_verdicts(results, verdicts, partial(decide_contrasts, stage=stage))


def _decide_with_and_without_failures(results: Results, stage: int | None) -> list[Verdict]:
    """Decide all contrasts of one experiment, where trials failed to train also without them."""
    study, contrasts = results.study, results.study.experiment.contrasts
    final = results.final if len(results.epochs) else results.epochs
    verdicts = _decide(results, final, [frozenset() for _ in contrasts], stage)
    failures = [find_failures(study, final, list(cells.values())) for cells in study.contrast_variants]
    if any(failure.seeds for failure in failures):
        others = _decide(results, final, [failure.seeds for failure in failures], stage)
        # A contrast without failures changes too when the others' decisions change its level.
        verdicts = [
            _combine(a, b) if failure.seeds or a.state != b.state else a
            for a, b, failure in zip(verdicts, others, failures, strict=True)
        ]
    complete = []
    for verdict, contrast, cells, failure in zip(verdicts, contrasts, study.contrast_variants, failures, strict=True):
        noted = add_notes(verdict, cells, results, failure)
        complete.append(add_sentences(noted, contrast, study))
    return complete


def _combine(verdict: Verdict, without_failures: Verdict) -> Verdict:
    """Return the verdict with and without failed trials: undecided where the two differ."""
    combined = replace(verdict, without_failures=without_failures)
    if verdict.state != without_failures.state:
        combined = replace(combined, state="undecided", with_failures_state=verdict.state, seeds_to_decide=None)
    return combined


def _decide(
    results: Results, final: pd.DataFrame, excluded_seeds: Sequence[frozenset[int]], stage: int | None
) -> list[Verdict]:
    """Decide every contrast without its ``excluded_seeds``; the verdicts have no sentences yet."""
    study, plan = results.study, plan_stages(results.study)
    tested = []
    for contrast, cells, excluded in zip(
        study.experiment.contrasts, study.contrast_variants, excluded_seeds, strict=True
    ):
        components = build_components(results, contrast, cells, final, excluded)
        reached = reached_stages(plan, study, list(cells.values()), final, stage)
        tested.append(ContrastTests(components, plan, reached, study.experiment.seeds))
    batches = [list_earlier_batches(study, index, final) for index in range(len(tested))]
    most = max(map(len, batches), default=0)
    share = level_share(most)
    decisions = decide_family(tested, study.open_verdict_count, share * study.experiment.level)
    completed = [
        contrast.with_results(_result_stage(contrast, decision), decision.levels)
        for contrast, decision in zip(tested, decisions, strict=True)
    ]
    adjusted = {role: _adjust(completed, study, plan, role) for role in ROLES}
    verdicts = []
    for index, decision in enumerate(decisions):
        p_values = {role: p[index] for role, p in adjusted.items()}
        verdict = _build_verdict(study, index, final, tested[index], decision, completed[index], p_values, most)
        verdicts.append(replace(verdict, level=share * verdict.level, earlier_batches=tuple(batches[index])))
    return verdicts


def _result_stage(contrast: ContrastTests, decision: Decision) -> int | None:
    """Return the stage whose p values are shown: the one that decides, or the last one reached."""
    return decision.stage if decision.stage is not None else max(contrast.reached, default=None)


def _adjust(
    contrasts: Sequence[tuple[Component, ...]], study: ResolvedExperiment, plan: StagePlan, role: Role
) -> list[float | None]:
    """Return p of each contrast by its shares of the level and Holm's method; None where it was not tested.

    With stages that spend the level there is no such p: the level of each stage depends on the earlier ones.
    """
    if plan.kind == "decide":
        return [None] * len(contrasts)
    ps = [scale_p_value(components, role) for components in contrasts]
    # All declared verdicts count: also those that could not be tested, and those at tuned recipes.
    others = [1.0] * (study.open_verdict_count - len(ps))
    adjusted = adjust_p_values([*(1.0 if p is None else min(1.0, p) for p in ps), *others])
    return [None if p is None else value for p, value in zip(ps, adjusted, strict=False)]


def scale_p_value(components: Sequence[Component], role: Role) -> float | None:
    """Return p of a contrast for the whole level, each outcome's p divided by its share; None where one has no p.

    A claim needs every component, so its largest p counts; one component can contradict, so the smallest p counts.
    Where differences are skewed, the larger p of the two readings counts.
    """
    by_component = [
        [_scale(component, result) for result in component.outcomes if result.outcome.role == role]
        for component in components
    ]
    ps = [p for scaled in by_component for p in scaled]
    if not ps or any(p is None for p in ps):
        return None
    smallest = [min(p for p in scaled if p is not None) for scaled in by_component if scaled]
    return max(smallest) if role == "supports" else min(smallest)


def _scale(component: Component, result: OutcomeResult) -> float | None:
    if result.p is None:
        return None
    robust = [test.robust_p.get(bound, 0.0) for test in component.tests for bound in result.outcome.bounds]
    return max(result.p, *robust) / result.outcome.share


def _build_verdict(
    study: ResolvedExperiment,
    index: int,
    final: pd.DataFrame,
    tests: ContrastTests,
    decision: Decision,
    components: tuple[Component, ...],
    adjusted: dict[Role, float | None],
    batches: int,
) -> Verdict:
    """Return the verdict on a decided contrast, without its sentences."""
    contrast = study.experiment.contrasts[index]
    stage = _result_stage(tests, decision)
    ps = [component.claimed_p for component in components]
    p = None if any(value is None for value in ps) else max(value for value in ps if value is not None)
    verdict = Verdict(
        title=format_title(contrast) + format_question(contrast, study),
        kind=contrast.kind,
        state=decision.state,
        conclusion="",
        components=components,
        n=min(tests.count_pairs(component, stage) for component in components),
        level=study.experiment.look_level * contrast.share,
        p=p,
        p_adjusted=adjusted["supports"],
        p_opposite_adjusted=adjusted["contradicts"],
        seeds_to_decide=None,
        notes=(),
        exploratory=explain_exploratory(study, index, final) if p is not None else "",
        stage=_summarise_stages(tests, decision),
        margin_reason=_margin_reason(contrast),
        batches=batches,
    )
    if decision.state == "undecided" and p is not None:
        # They would be a further batch, which has a smaller level than this one.
        share = level_share(batches + 1) / level_share(batches)
        return replace(verdict, seeds_to_decide=count_seeds_needed(components, share * decision.levels["supports"]))
    return verdict


def _summarise_stages(tests: ContrastTests, decision: Decision) -> StageSummary | None:
    if tests.plan.kind == "fixed":
        return None
    return StageSummary(tests.plan.stages, tests.reached, decision.stage, tests.plan.most)


def _margin_reason(contrast: Contrast) -> str:
    return getattr(contrast, "margin_reason", "")
