"""Build declarations and analyses from a resolved experiment, and add them to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.specs.declarations.analysis import Analysis, AnalysisLog, State, merge_logs
from harness.specs.declarations.declaration import Declaration, DeclaredContrast
from harness.specs.experiment.resolved_experiment import ResolvedExperiment
from harness.specs.identity import digest


def declare(study: ResolvedExperiment) -> Declaration:
    """Return what an experiment declares now."""
    experiment = study.experiment
    variants = {variant.name: variant for variant in study.variants}
    return Declaration(
        contrasts=tuple(
            DeclaredContrast(contrast=contrast, variants={role: variants[name] for role, name in names.items()})
            for contrast, names in zip(experiment.contrasts, study.contrast_variants, strict=True)
        ),
        level=experiment.level,
        verdicts=study.verdict_count,
        looks=experiment.looks,
        decide=experiment.decide and experiment.decide.binding,
        seeds=experiment.seeds,
        untrained_tolerance=experiment.untrained_tolerance,
    )


def cell_hashes(study: ResolvedExperiment, variants: Iterable[str] | None = None) -> tuple[str, ...]:
    """Return the hashes of an experiment's compared cells, sorted: each variant with data and recipe, without seeds.

    Args:
        study: An experiment on one data set, or the view of one.
        variants: Names of the variants; None for all.
    """
    names = None if variants is None else set(variants)
    cells = {trial.variant.name: trial for trial in study.trials if names is None or trial.variant.name in names}
    return tuple(sorted({digest(trial.cell_identity()) for trial in cells.values()}))


def build_analysis(
    study: ResolvedExperiment, index: int, seeds: Iterable[int], state: State, at: str, stage: int | None = None
) -> Analysis:
    """Return the analysis of one contrast.

    Args:
        study: An experiment on one data set, or the view of one; :attr:`ResolvedExperiment.tuned` for verdicts at the
            chosen recipes.
        index: Index of the contrast.
        seeds: The seeds with a recorded trial of a compared variant.
        state: ``supported``, ``contradicted`` or ``undecided``; ``too few seeds`` for a preview.
        at: When, as :func:`harness.specs.declarations.analysis.current_time` returns it.
        stage: Number of seeds of the stage of an adaptive run; None for a report.
    """
    declaration = declare(study)
    return Analysis(
        contrast=declaration.contrasts[index].key,
        declaration=declaration.digest,
        cells=cell_hashes(study, study.contrast_variants[index].values()),
        seen=cell_hashes(study),
        seeds=tuple(sorted(seeds)),
        state=state,
        at=at,
        stage=stage,
        experiment=study.experiment.name,
    )


def list_recipe_views(study: ResolvedExperiment) -> list[ResolvedExperiment]:
    """Return the experiment on each data set at the common recipe and, after a search, at the chosen recipes.

    Each of them has one verdict for each contrast.
    """
    return [at_recipe for view in study.views for at_recipe in (view, view.tuned) if at_recipe is not None]


def collect_log(study: ResolvedExperiment) -> AnalysisLog:
    """Return the analyses that an experiment holds, with their declarations."""
    return AnalysisLog(declarations=study.declarations, analyses=study.analyses)


def add_logs(study: ResolvedExperiment, logs: Sequence[AnalysisLog]) -> ResolvedExperiment:
    """Return the experiment with the analyses of some logs; itself where they hold nothing new."""
    own = collect_log(study)
    merged = merge_logs([own, *logs])
    if merged == own:
        return study
    return study.replace(declarations=merged.declarations, analyses=merged.analyses)
