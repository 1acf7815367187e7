"""The analyses that a report makes: what the record has to keep of them, and what this report shows of the record."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.reporting.analyses.exploratory import recorded_seeds
from harness.reporting.verdicts.verdict import Verdict
from harness.specs import ResolvedExperiment
from harness.specs.declarations.analysis import TOO_FEW_SEEDS, Analysis, AnalysisLog, State
from harness.specs.declarations.declare import build_analysis, declare
from harness.specs.experiment.interim_looks import SEEDS_FOR_CLAIMS, InterimLook
from harness.tracking.results_table import Results


def list_recipe_views(results: Results) -> list[Results]:
    """Return the results at the common recipe and, after a search, at the chosen recipes.

    Each of them has one verdict for each contrast.
    """
    return [results] if results.tuned is None else [results, results.tuned]


def build_log(results: Results, verdicts: Sequence[Verdict], at: str, stage: int | None = None) -> AnalysisLog:
    """Return the analyses of all verdicts that were tested, with what is declared now.

    A report also has a preview of each contrast that has pairs of seeds, but too few for a test.

    Args:
        verdicts: As :func:`harness.reporting.verdicts.decision.decide_contrasts` returns them for ``results``.
        at: When, as :func:`harness.specs.declarations.analysis.current_time` returns it.
        stage: Number of seeds of the stage of an adaptive run; None for a report.
    """
    views, analyses = list_recipe_views(results), []
    for verdict in verdicts:
        is_preview = stage is None and verdict.p is None and 0 < verdict.n < SEEDS_FOR_CLAIMS
        if verdict.p is not None or is_preview:
            view, index = find_contrast(views, verdict)
            declared = view.study.experiment.seeds[:stage]
            recorded = recorded_seeds(view.study, index, view.final)
            seeds = [seed for seed in recorded if stage is None or seed in declared]
            state: State = TOO_FEW_SEEDS if is_preview else verdict.state
            analyses.append(build_analysis(view.study, index, seeds, state, at, stage))
    declarations = {d.digest: d for d in (declare(view.study) for view in views)}
    used = {analysis.declaration for analysis in analyses}
    return AnalysisLog(
        declarations=tuple(d for key, d in declarations.items() if key in used), analyses=tuple(analyses)
    )


def find_contrast(views: Sequence[Results], verdict: Verdict) -> tuple[Results, int]:
    """Return the results on which a verdict rests, and the index of its contrast in them.

    Args:
        views: As :func:`list_recipe_views` returns them.
    """
    view = views[-1] if verdict.at_tuned_recipes else views[0]
    assert verdict.contrast is not None
    return view, view.study.experiment.contrasts.index(verdict.contrast)


def trim_analyses(study: ResolvedExperiment, own: Collection[Analysis]) -> ResolvedExperiment:
    """Return the experiment for a report: with the analyses of the record up to the report's ``own`` ones.

    So a report stays the same when it is written again after later analyses.
    """
    identities = {analysis.key for analysis in own}
    last = max((i for i, analysis in enumerate(study.analyses) if analysis.key in identities), default=-1)
    analyses = study.analyses[: last + 1]
    used = {analysis.declaration for analysis in analyses}
    declarations = tuple(d for d in study.declarations if d.digest in used)
    return study.replace(analyses=analyses, declarations=declarations, looks=_end_looks(study, own))


def _end_looks(study: ResolvedExperiment, own: Collection[Analysis]) -> tuple[InterimLook, ...]:
    """Return the looks of an earlier version up to those of this report, or all if this report is new."""
    keys = {*study.contrast_keys, *(study.tuned.contrast_keys if study.tuned is not None else ())}
    seeds = {analysis.seeds for analysis in own}
    last = max((i for i, look in enumerate(study.looks) if look.cells in keys and look.seeds in seeds), default=None)
    return study.looks if last is None else study.looks[: last + 1]


def is_in_looks(study: ResolvedExperiment, own: Collection[Analysis]) -> bool:
    """Return whether a record of an earlier version holds this report's analyses as looks already."""
    held = {look.seeds for look in study.looks}
    return all(analysis.seeds in held for analysis in own)
