"""The decision on every declared contrast: supported, contradicted or undecided.

Each contrast is tested by its components over the declared stages, and Holm's method shares the level between all
contrasts. Where trials failed to train, all is done again without them: a verdict that differs is undecided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from harness.reporting.analyses.exploratory import describe_earlier_batches, explain_exploratory_results
from harness.reporting.analyses.first_declaration import add_first_verdicts
from harness.reporting.statistics.multiple_testing import adjust_p_values
from harness.reporting.verdicts.components import build_components
from harness.reporting.verdicts.decided_contrast import DecidedContrast
from harness.reporting.verdicts.failures import find_failures
from harness.reporting.verdicts.family_decision import decide_family
from harness.reporting.verdicts.notes import add_notes
from harness.reporting.verdicts.outcomes import ROLES, Role
from harness.reporting.verdicts.seeds_needed import count_seeds_needed
from harness.reporting.verdicts.sentences.conclusions import add_sentences
from harness.reporting.verdicts.sentences.phrases import format_title
from harness.reporting.verdicts.sentences.question import format_question
from harness.reporting.verdicts.stage_levels import plan_stages, reached_stages
from harness.reporting.verdicts.stage_tests import ContrastTests
from harness.reporting.verdicts.verdict import Verdict
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
        *(
            replace(verdict, title=f"{verdict.title}, at tuned recipes", at_tuned_recipes=True)
            for verdict in at_tuned_recipes
        ),
    ]
    return add_first_verdicts(results, verdicts, partial(decide_contrasts, stage=stage))


def _decide_with_and_without_failures(results: Results, stage: int | None) -> list[Verdict]:
    """Decide all contrasts of one experiment, where trials failed to train also without them."""
    study, contrasts = results.study, results.study.experiment.contrasts
    final = results.final if len(results.epochs) else results.epochs
    verdicts = _decide(results, final, [frozenset() for _ in contrasts], stage)
    failures = [find_failures(study, final, list(names.values())) for names in study.contrast_variants]
    if any(failure.seeds for failure in failures):
        others = _decide(results, final, [failure.seeds for failure in failures], stage)
        # A contrast without failures changes too when the others' decisions change its level.
        verdicts = [
            _combine(a, b) if failure.seeds or a.state != b.state else a
            for a, b, failure in zip(verdicts, others, failures, strict=True)
        ]
    complete = []
    for verdict, contrast, names, failure in zip(verdicts, contrasts, study.contrast_variants, failures, strict=True):
        noted = add_notes(verdict, list(names.values()), results, failure)
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
    contrasts = study.experiment.contrasts
    tested = []
    for contrast, names, excluded in zip(contrasts, study.contrast_variants, excluded_seeds, strict=True):
        components = build_components(results, contrast, names, final, excluded)
        reached = reached_stages(plan, study, list(names.values()), final, stage)
        tested.append(ContrastTests(components, plan, reached, study.experiment.seeds))
    batches = [describe_earlier_batches(study, index, final) for index in range(len(tested))]
    most = max(map(len, batches), default=0)
    decisions = decide_family(tested, study.open_verdict_count, level_share(most) * study.experiment.level)
    decided = [DecidedContrast(*pair) for pair in zip(tested, decisions, strict=True)]
    adjusted = {role: _adjust(decided, study, role) for role in ROLES}
    return [
        replace(
            _build_verdict(study, contrast, decided[index], most),
            p_adjusted=adjusted["supports"][index],
            p_opposite_adjusted=adjusted["contradicts"][index],
            exploratory=explain_exploratory_results(study, index, final) if decided[index].p is not None else "",
            earlier_batches=tuple(batches[index]),
        )
        for index, contrast in enumerate(contrasts)
    ]


def _adjust(decided: Sequence[DecidedContrast], study: ResolvedExperiment, role: Role) -> list[float | None]:
    """Return p of each contrast by its shares of the level and Holm's method; None where it was not tested.

    With stages that spend the level there is no such p: the level of each stage depends on the earlier ones. The
    verdict names the level at which it was decided instead.
    """
    if study.experiment.decide is not None:
        return [None] * len(decided)
    ps = [contrast.scale_p_value(role) for contrast in decided]
    # All declared verdicts count: also those that could not be tested, and those at tuned recipes.
    others = [1.0] * (study.open_verdict_count - len(ps))
    adjusted = adjust_p_values([*(1.0 if p is None else min(1.0, p) for p in ps), *others])
    return [None if p is None else value for p, value in zip(ps, adjusted, strict=False)]


def _build_verdict(study: ResolvedExperiment, contrast: Contrast, decided: DecidedContrast, batches: int) -> Verdict:
    """Return the verdict on a contrast, without its sentences and without p values for the whole level.

    Args:
        batches: Number of earlier batches by which the level is lowered.
    """
    state, p, needed = decided.decision.state, decided.p, None
    if state == "undecided" and p is not None:
        # They would be a further batch, which has a smaller level than this one.
        share = level_share(batches + 1) / level_share(batches)
        needed = count_seeds_needed(decided.components, share * decided.level)
    return Verdict(
        title=format_title(contrast) + format_question(contrast, study),
        kind=contrast.kind,
        state=state,
        conclusion="",
        components=decided.components,
        n=decided.n,
        level=level_share(batches) * study.experiment.look_level * contrast.share,
        p=p,
        p_adjusted=None,
        p_opposite_adjusted=None,
        seeds_to_decide=needed,
        notes=(),
        stage=decided.summarise_stages(),
        margin_reason=getattr(contrast, "margin_reason", ""),
        contrast=contrast,
        batches=batches,
    )
